"""Running the application until it is told to stop; what was accepted by then is finished."""

import ipaddress
import signal
import socket

import uvicorn

from handnet.errors import ConfigError
from handnet.serving.api.app import build_app
from handnet.serving.api.service import Service

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address.

    Args:
        host: name or address to listen at.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound.

    Args:
        host: name or address.
        port: 0: any that is free.

    Raises:
        ConfigError: the address cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"Cannot listen at {host}: {error.strerror}.") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ConfigError(f"Cannot listen at {host}:{port}: {error.strerror}. Give another --port.") from None
    return bound


def run_server(service: Service, bound: socket.socket, *, access_log: bool = False) -> None:
    """Answer requests until the process is told to stop (SIGTERM or Ctrl-C).

    Args:
        service: what answers.
        bound: from `listen`.
        access_log: log a line for each request: method, route, status and time.
    """
    config = uvicorn.Config(
        build_app(service),
        log_level="info" if access_log else "warning",
        # Its lines hold paths, and paths hold ids; the guard's hold routes.
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(service.limits.stop_timeout_s),
        h11_max_incomplete_event_size=32_000,
        backlog=512,
    )
    # Once all is finished uvicorn sends itself the signal again, for whoever handled it before.
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in signals]
    try:
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
