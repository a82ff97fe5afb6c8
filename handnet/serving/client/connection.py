"""What both clients share: the server's address, the limits, retries, and photos put into requests."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from handnet.errors import ConfigError, DataError, HandnetError

SCHEMES = ("grpc", "http", "https")
DEFAULT_PORTS = {"grpc": 8500, "http": 8501, "https": 443}
# The longest wait between two attempts.
MAX_PAUSE_S = 8.0

Arrays = Mapping[str, npt.NDArray[np.generic]]
_Result = TypeVar("_Result")


class ServerError(HandnetError):
    """A server that does not answer, does not have the model, or has another one than expected."""

    exit_code = 3


class ServerBusyError(ServerError):
    """A server that may answer on another attempt."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a model is served and how patiently it is asked.

    Attributes:
        scheme: "grpc", "http" or "https".
        host: name or address.
        port: its port.
        model: name of the model at the server.
        version: of the model; 0 is the server's choice, its newest one by default.
        timeout_s: seconds for each attempt.
        attempts: how often a request is sent at most while the server is absent or overloaded.
        pause_s: seconds before the second attempt, doubled before each further one, 8 at most.
        max_request_bytes: the most bytes in a request; a larger photo is refused.
        max_request_photos: the most photos in a request.
    """

    scheme: str
    host: str
    port: int
    model: str
    version: int = 0
    timeout_s: float = 30.0
    attempts: int = 4
    pause_s: float = 0.5
    max_request_bytes: int = 64_000_000
    max_request_photos: int = 32

    @property
    def address(self) -> str:
        """The address as it is typed."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_server(address: str, model: str, **limits: Any) -> Server:
    """Read an address such as grpc://127.0.0.1:8500 or http://127.0.0.1:8501.

    Args:
        address: scheme, host and port; without a port TensorFlow Serving's own one is taken.
        model: name of the model at the server.
        limits: `Server`'s other attributes.

    Raises:
        ConfigError: another scheme, no host, a path, or a limit that cannot be met.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ConfigError(
            f"`--server` must be grpc://HOST:PORT or http://HOST:PORT. Received: {address!r} ({error})."
        ) from None
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise ConfigError(
            f"`--server` must be grpc://HOST:PORT or http://HOST:PORT with nothing after the port. Received: {address!r}."
        )
    server = Server(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], model, **limits)
    for name in ("timeout_s", "attempts", "max_request_bytes", "max_request_photos"):
        if getattr(server, name) <= 0:
            raise ConfigError(f"`{name}` must be positive. Received: {getattr(server, name)}.")
    return server


def read_photo_bytes(paths: Sequence[Path], max_bytes: int) -> list[bytes]:
    """Read photos that are to be sent.

    Raises:
        DataError: a file that cannot be read, or one larger than a request may be.
    """
    contents = []
    for path in paths:
        try:
            check_size(path, path.stat().st_size, max_bytes)
            contents.append(path.read_bytes())
        except OSError as error:
            raise DataError(f"Cannot read {str(path)!r}: {error.strerror}. Give photo files.") from None
    return contents


def check_size(path: Path, num_bytes: int, max_bytes: int) -> None:
    """Refuse a photo that is too large to be sent.

    Raises:
        DataError: so many bytes are more than a request may have.
    """
    if num_bytes > max_bytes:
        raise DataError(
            f"{str(path)!r} has {num_bytes:,} bytes, and a request may have at most {max_bytes:,}. Make the photo smaller, or "
            "raise --max-request-mb here and the limit at the server."
        )


def split_requests(sizes: Sequence[int], max_bytes: int, max_photos: int) -> Iterator[slice]:
    """Yield the slices of photos that go into one request each, so that none is above the limits.

    Args:
        sizes: bytes of each photo (or pair), none above `max_bytes`.
        max_bytes: of a request.
        max_photos: of a request.
    """
    start = total = 0
    for stop, size in enumerate(sizes):
        if stop > start and (total + size > max_bytes or stop - start == max_photos):
            yield slice(start, stop)
            start, total = stop, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def repeat_while_busy(
    attempt: Callable[[], _Result], server: Server, sleep: Callable[[float], None] = time.sleep, seed: int | None = None
) -> _Result:
    """Send a request again while the server is absent or overloaded, each time after a longer pause.

    The pauses are drawn between half and all of their length, so that clients that failed together do not come back
    together.

    Args:
        attempt: sends the request; raises ServerBusyError where another attempt may succeed.
        server: number of attempts and first pause.
        sleep: waits the given seconds.
        seed: of the pauses; None draws one from the system.

    Raises:
        ServerError: as the last attempt said.
    """
    generator = np.random.default_rng(seed)
    for number in range(1, server.attempts):
        try:
            return attempt()
        except ServerBusyError:
            sleep(min(MAX_PAUSE_S, server.pause_s * 2 ** (number - 1)) * generator.uniform(0.5, 1.0))
    return attempt()


def explain_failure(server: Server, signature: str, status: str, message: str) -> ServerError:
    """Say what a server's refusal means and what to do.

    Args:
        server: who refused.
        signature: what was asked for.
        status: gRPC's name of the status, as "NOT_FOUND".
        message: the server's own words.
    """
    words = " ".join(message.split())[:500]
    said = f"The server said: {words.rstrip('.')}." if words else "The server gave no reason."
    version = f" version {server.version}" if server.version else ""
    if "signature" in words.lower() and status in ("FAILED_PRECONDITION", "INVALID_ARGUMENT", "NOT_FOUND"):
        return ServerError(
            f"The model {server.model!r}{version} at {server.address} does not have the signature {signature!r} that handnet "
            f"expects. {said} Export it with this version of handnet: handnet export RUN saved_models/{server.model}."
        )
    if status == "NOT_FOUND":
        return ServerError(
            f"{server.address} has no model {server.model!r}{version}. {said} Name the model with --model, or see that its "
            "folder is mounted and a version in it has been loaded."
        )
    if status in ("UNAVAILABLE", "RESOURCE_EXHAUSTED"):
        return ServerBusyError(
            f"{server.address} is overloaded or restarting ({status}), after {server.attempts} attempts. {said} Send less at "
            "once, or raise max_enqueued_batches in its batching configuration."
        )
    if status == "DEADLINE_EXCEEDED":
        return ServerError(
            f"{server.address} did not answer within {server.timeout_s:g} s. Raise --timeout, or send fewer photos at once "
            "with --batch."
        )
    return ServerError(f"{server.address} refused {signature!r} of {server.model!r} ({status}). {said}")


def explain_absence(server: Server, reason: str) -> ServerBusyError:
    """Say that nobody answers at an address and what to do."""
    return ServerBusyError(
        f"No server answers at {server.address} ({' '.join(reason.split())[:200]}), after {server.attempts} attempts. Start "
        "one: docker compose -f serving/docker-compose.yml up; or correct --server (gRPC is at port 8500, REST at 8501)."
    )


def explain_outputs(server: Server, signature: str, reason: str) -> ServerError:
    """Say that an answer is not what the signature promises."""
    return ServerError(
        f"{server.address} answered {signature!r} of {server.model!r} with something else than handnet expects: {reason}. "
        f"Export the model with this version of handnet: handnet export RUN saved_models/{server.model}."
    )
