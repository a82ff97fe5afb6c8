"""TensorFlow Serving's gRPC predict interface."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import grpc
import numpy as np

from handnet.errors import ConfigError
from handnet.serving.client.connection import (
    MAX_PAUSE_S,
    Arrays,
    Server,
    explain_absence,
    explain_failure,
    explain_outputs,
    repeat_while_busy,
)

# What a request holds in addition to the photos: names, shapes, lengths.
_OVERHEAD_BYTES = 1_000_000


class Protocol(NamedTuple):
    """The modules of tensorflow-serving-api that are used."""

    predict: ModuleType
    service: ModuleType


def load_protocol() -> Protocol:
    """Import tensorflow-serving-api, which imports TensorFlow: seconds.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
    except ImportError as error:
        raise ConfigError(
            f"grpc:// needs the package tensorflow-serving-api: {error}. Install it: pip install 'handnet[serving]'; or use "
            "the server's REST interface, http://HOST:8501, which needs nothing."
        ) from None
    return Protocol(predict_pb2, prediction_service_pb2_grpc)


def is_this_machine(host: str) -> bool:
    """Return whether a host's name or address is that of the machine itself."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


class GrpcClient:
    """Asks a model over gRPC; one open connection, for any number of threads.

    Args:
        server: where and how patiently.

    Raises:
        ConfigError: tensorflow-serving-api is not installed.
    """

    def __init__(self, server: Server) -> None:
        self._server, self._protocol = server, load_protocol()
        limit = server.max_request_bytes + _OVERHEAD_BYTES
        # gRPC's own limit of 4 MB is below many a batch of photos.
        self._channel = grpc.insecure_channel(
            f"{server.host if ':' not in server.host else f'[{server.host}]'}:{server.port}",
            options=[
                ("grpc.max_send_message_length", limit),
                ("grpc.max_receive_message_length", limit),
                # A proxy leads out of this machine, and never back into it.
                *([("grpc.enable_http_proxy", 0)] if is_this_machine(server.host) else []),
                # A server that comes back is found at the next attempt, not at gRPC's own leisure.
                ("grpc.initial_reconnect_backoff_ms", int(1000 * server.pause_s)),
                ("grpc.max_reconnect_backoff_ms", int(1000 * MAX_PAUSE_S)),
            ],
        )
        self._stub = self._protocol.service.PredictionServiceStub(self._channel)

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
        import tensorflow as tf

        # Without a filter all outputs come: one that names an output which the model lacks is an error.
        request = self._protocol.predict.PredictRequest(output_filter=[] if optional else outputs)
        request.model_spec.name, request.model_spec.signature_name = self._server.model, signature
        if self._server.version:
            request.model_spec.version.value = self._server.version
        for name, photos in inputs.items():
            # A numpy array of bytes would lose the zeros at a photo's end.
            request.inputs[name].CopyFrom(tf.make_tensor_proto(list(photos), dtype=tf.string))
        response = repeat_while_busy(lambda: self._send(request, signature), self._server)
        missing = sorted(set(outputs) - set(response.outputs))
        if missing:
            raise explain_outputs(self._server, signature, f"without {', '.join(missing)}")
        wanted = [*outputs, *(name for name in optional if name in response.outputs)]
        arrays = {name: np.asarray(tf.make_ndarray(response.outputs[name])) for name in wanted}
        # Words come as bytes.
        return {name: np.char.decode(a.astype("S")) if a.dtype.kind == "O" else a for name, a in arrays.items()}

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _send(self, request: Any, signature: str) -> Any:
        try:
            return self._stub.Predict(request, timeout=self._server.timeout_s)
        except grpc.RpcError as error:
            status, details = error.code().name, error.details() or ""
            # The same status stands for an absent and for an overloaded server.
            if status == "UNAVAILABLE" and any(word in details for word in _ABSENCE):
                raise explain_absence(self._server, details) from None
            if status == "RESOURCE_EXHAUSTED" and "larger than max" in details:
                raise explain_failure(self._server, signature, "message too large", details) from None
            raise explain_failure(self._server, signature, status, details) from None


_ABSENCE = (
    "failed to connect",
    "Failed to connect",
    "DNS",
    "name resolution",
    "Connection reset",
    "Socket closed",
    "GOAWAY",
)
