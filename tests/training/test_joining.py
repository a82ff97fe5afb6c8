"""Processes that find one another, or do not, in one process: sockets of its own, and a store that threads share."""

import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handnet.data.readers import read_dataset
from handnet.errors import ConfigError, RunError
from handnet.training.joining import (
    WAIT_VARIABLE,
    Facts,
    check_port,
    check_same,
    collect_shared_facts,
    describe_difference,
    end_after,
    read_wait,
    wait_for_port,
)
from tests.tiny import tiny_config, write_tiny


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


def test_a_port_in_use_is_refused_and_a_free_one_is_not(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"MASTER_PORT {port}: Address already in use.*free"):
        check_port(port)
    listener.close()
    check_port(port)
    with pytest.raises(ConfigError, match="65535"):
        check_port(70_000)


def test_the_first_process_is_waited_for_and_given_up_in_one_line(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    wait_for_port("127.0.0.1", port, 5)
    listener.close()
    with pytest.raises(RunError, match=rf"not answer at 127.0.0.1:{port} within 0 s.*{WAIT_VARIABLE}"):
        wait_for_port("127.0.0.1", port, 0.2)

    def start_first(seconds: float) -> None:
        del seconds
        late.bind(("127.0.0.1", port))
        late.listen()

    with socket.socket() as late:
        late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_for_port("127.0.0.1", port, 5, start_first)


def test_a_wait_that_is_too_long_ends_with_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    ended = threading.Event()

    def leave(code: int) -> None:
        codes.append(code)
        ended.set()

    with end_after(0.01, "nobody came", leave):
        assert ended.wait(10)
    assert codes == [1]
    assert capsys.readouterr().err == "handnet: nobody came\n"
    ended.clear()
    with end_after(0.1, "nobody came", leave):
        pass
    assert not ended.wait(0.2)


def test_the_wait_is_a_number_of_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WAIT_VARIABLE, raising=False)
    assert read_wait() == 300
    monkeypatch.setenv(WAIT_VARIABLE, "20")
    assert read_wait() == 20
    for wrong in ("0", "-1", "soon", "1.5"):
        monkeypatch.setenv(WAIT_VARIABLE, wrong)
        with pytest.raises(ConfigError, match="whole number of seconds"):
            read_wait()


class SharedTexts:
    """JAX's key-value store for threads."""

    def __init__(self, total: int) -> None:
        self.texts: dict[str, str] = {}
        self.changed = threading.Condition()
        self.barrier = threading.Barrier(total)

    def key_value_set(self, key: str, value: str) -> None:
        with self.changed:
            self.texts[key] = value
            self.changed.notify_all()

    def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str:
        with self.changed:
            assert self.changed.wait_for(lambda: key in self.texts, timeout_in_ms / 1000)
            return self.texts[key]

    def wait_at_barrier(self, barrier_id: str, timeout_in_ms: int) -> None:
        del barrier_id
        self.barrier.wait(timeout_in_ms / 1000)


def compare(*everyone: Facts) -> list[str]:
    """Return what each process raises, "" where nothing."""
    store = SharedTexts(len(everyone))

    def check(rank: int) -> str:
        try:
            check_same(store, len(everyone), rank, everyone[rank], 10)
        except ConfigError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(everyone)) as pool:
        return list(pool.map(check, range(len(everyone))))


def test_every_process_says_which_of_settings_photos_and_versions_differs(tmp_path: Path) -> None:
    here, elsewhere = (read_dataset("hands11k", write_tiny(tmp_path / name, num_people=8)) for name in ("a", "b"))
    config = tiny_config()
    same = collect_shared_facts(config, here, False)
    # The folder may have another name on another machine.
    moved = collect_shared_facts(tiny_config(data={"path": "elsewhere"}), elsewhere, False)
    assert compare(same, moved, same) == ["", "", ""]

    def refusal(other: Facts) -> str:
        first, *others = compare(same, same, other)
        assert others == [first, first]
        return first

    faster = refusal(collect_shared_facts(tiny_config(optimizer={"learning_rate": 0.5}), here, False))
    assert "settings differ (optimizer.learning_rate is " in faster
    assert "and 0.5 on rank 2)" in faster
    assert "photos" not in faster
    assert "versions" not in faster
    assert "settings differ (--resume is no on rank 0" in refusal(collect_shared_facts(config, here, True))

    elsewhere.examples.pop()
    fewer = refusal(collect_shared_facts(config, elsewhere, False))
    assert "photos differ" in fewer
    assert "settings" not in fewer
    versions: Mapping[str, str] = {**same["versions"], "jax": "0.1"}
    assert "versions differ (jax is " in refusal({**same, "versions": versions})


def test_many_differences_are_counted() -> None:
    first, second = ({"settings": {f"a{i}": str(i * k) for i in range(10)}} for k in (0, 1))
    told = describe_difference([first, second])
    assert told.startswith("settings differ (a1 is 0 on rank 0 and 1 on rank 1, ")
    assert told.endswith(", and 5 more)")
