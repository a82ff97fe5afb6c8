"""A server's address, the limits of requests, and pauses."""

import pytest

from handnet.errors import ConfigError
from handnet.serving.client.connection import (
    ServerBusyError,
    parse_server,
    repeat_while_busy,
    split_requests,
)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:8500", "must be grpc://HOST:PORT"),
        ("ftp://host:1", "must be grpc://HOST:PORT"),
        ("http://host:99999", "must be grpc://HOST:PORT"),
        ("http://host:8501/v1/models/hands", "nothing after the port"),
        ("grpc://", "must be grpc://HOST:PORT"),
    ],
)
def test_wrong_addresses_are_refused(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_server(address, "hands")


def test_addresses_get_the_ports_of_tensorflow_serving() -> None:
    assert parse_server("grpc://example.org", "hands").address == "grpc://example.org:8500"
    assert parse_server("http://example.org", "hands").address == "http://example.org:8501"
    assert parse_server("grpc://[::1]:9", "hands").address == "grpc://[::1]:9"
    with pytest.raises(ConfigError, match=r"`timeout_s` must be positive. Received: 0"):
        parse_server("grpc://example.org", "hands", timeout_s=0)


def test_requests_are_as_few_as_the_limits_allow() -> None:
    assert list(split_requests([5, 5, 5, 1], 10, 9)) == [slice(0, 2), slice(2, 4)]
    assert list(split_requests([1] * 5, 10, 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(split_requests([10, 10], 10, 9)) == [slice(0, 1), slice(1, 2)]
    assert list(split_requests([], 10, 9)) == []


def test_pauses_grow_and_end_with_the_last_attempt() -> None:
    pauses: list[float] = []
    calls = 0

    def fail() -> None:
        nonlocal calls
        calls += 1
        raise ServerBusyError("busy")

    server = parse_server("grpc://example.org", "hands", attempts=6, pause_s=1.0)
    with pytest.raises(ServerBusyError):
        repeat_while_busy(fail, server, pauses.append, seed=0)
    assert calls == 6
    limits = [1, 2, 4, 8, 8]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, limits, strict=True))
