"""TensorFlow Serving's REST predict interface, with nothing but the standard library."""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from handnet.files import parse_json
from handnet.serving.client.connection import (
    Arrays,
    Server,
    ServerError,
    explain_absence,
    explain_failure,
    explain_outputs,
    repeat_while_busy,
)

# TensorFlow Serving's statuses of HTTP and the names that gRPC has for them.
_STATUSES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    412: "FAILED_PRECONDITION",
    413: "request too large",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MAX_ANSWER_BYTES = 256_000_000


class RestClient:
    """Asks a model over HTTP; each request opens its own connection.

    Args:
        server: where and how patiently.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        version = f"/versions/{server.version}" if server.version else ""
        self._path = f"/v1/models/{quote(server.model, safe='')}{version}:predict"

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, Sequence[bytes]],
        outputs: Sequence[str],
        optional: Sequence[str] = (),
    ) -> Arrays:
        """Call a signature with photos and return the outputs that were asked for, and of the optional ones those that it has.

        Raises:
            ServerError: absent, overloaded, too slow, without the model or the signature.
        """
        columns = {
            name: [{"b64": base64.b64encode(photo).decode("ascii")} for photo in photos]
            for name, photos in inputs.items()
        }
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        answer = repeat_while_busy(lambda: self._send(body, signature), self._server)
        columns_out = answer.get("outputs") if isinstance(answer, dict) else None
        if not isinstance(columns_out, dict) or not set(outputs) <= set(columns_out):
            found = sorted(columns_out) if isinstance(columns_out, dict) else type(columns_out).__name__
            raise explain_outputs(self._server, signature, f"expected {', '.join(outputs)}, received {found}")
        # JSON has one kind of number; the model's are float32.
        wanted = [*outputs, *(name for name in optional if name in columns_out)]
        arrays = {name: np.asarray(columns_out[name]) for name in wanted}
        return {name: a.astype(np.float32) if a.dtype.kind in "fi" else a for name, a in arrays.items()}

    def close(self) -> None:
        """Do nothing: no connection stays open."""

    def _send(self, body: bytes, signature: str) -> Any:
        server = self._server
        connection = (
            http.client.HTTPSConnection(
                server.host, server.port, timeout=server.timeout_s, context=ssl.create_default_context()
            )
            if server.scheme == "https"
            else http.client.HTTPConnection(server.host, server.port, timeout=server.timeout_s)
        )
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read(_MAX_ANSWER_BYTES)
        except TimeoutError:
            raise explain_failure(server, signature, "DEADLINE_EXCEEDED", "") from None
        except http.client.BadStatusLine as error:
            raise ServerError(
                f"{server.address} does not speak HTTP ({error!r}). Is it the gRPC port? Then give grpc://."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise explain_absence(server, str(error) or type(error).__name__) from None
        finally:
            connection.close()
        try:
            answer = parse_json(text)
        except ValueError:
            answer = None
        if response.status != http.client.OK:
            message = (
                answer["error"]
                if isinstance(answer, dict) and "error" in answer
                else text[:500].decode("utf-8", "replace")
            )
            status = _STATUSES.get(response.status, f"HTTP status {response.status}")
            raise explain_failure(server, signature, status, str(message))
        if answer is None:
            raise explain_outputs(server, signature, f"no JSON but {text[:60]!r}")
        return answer
