"""What is checked while processes that train together find one another: the port, the wait, and that all train the same.

JAX ends a process in C++ where its port is taken, where another process never comes, or where two of them compute arrays
of different shapes; with different settings of equal shapes it says nothing. Each is one line here, before JAX is asked.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from handnet.config.settings import Config
from handnet.config.toml import config_to_tree
from handnet.data.dataset import DataSet
from handnet.data.example import write_label
from handnet.errors import ConfigError, RunError, printable

# How long processes wait for one another, in seconds.
WAIT_VARIABLE = "HANDNET_NODES_WAIT"
_DEFAULT_WAIT_S = 300
_RETRY_S = 0.5
_CONNECT_S = 5.0
# Where the data lie may have another name on each machine; which photos they are is compared by themselves.
_OWN_SETTINGS = ("data.path",)
_PACKAGES = ("handnet", "keras", "jax")
# Settings that are named in one line.
_MOST_NAMED = 4

# What must be the same in all processes: by kind ("settings"), then by name ("optimizer.learning_rate"), as text.
Facts = Mapping[str, Mapping[str, str]]


class Store(Protocol):
    """Texts that all processes see: the key-value store of JAX's coordination service, which needs no device."""

    def key_value_set(self, key: str, value: str) -> None:
        """Set a text."""

    def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str:
        """Return a text as soon as it is set."""

    def wait_at_barrier(self, barrier_id: str, timeout_in_ms: int) -> None:
        """Wait until all processes have come here."""


def read_wait() -> int:
    """Return how many seconds processes wait for one another: $HANDNET_NODES_WAIT, else 300.

    Raises:
        ConfigError: it is no whole number above 0.
    """
    text = os.environ.get(WAIT_VARIABLE, "")
    if not text:
        return _DEFAULT_WAIT_S
    if not text.isdecimal() or not int(text):
        raise ConfigError(
            f"${WAIT_VARIABLE} must be a whole number of seconds above 0, such as 300. Received: {text!r}."
        )
    return int(text)


def check_port(port: int) -> None:
    """Raise ConfigError where this process cannot listen on `port`, as the first of several must."""
    try:
        # As JAX's service does: on all addresses, of both families where there are both.
        family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        with socket.socket(family) as probe:
            # Connections of a training that has just ended are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(("", port))
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "ports end at 65535"
        raise ConfigError(
            f"The first process cannot listen on MASTER_PORT {port}: {reason}. Give all processes a port that is free on the "
            "machine of rank 0."
        ) from None


def wait_for_port(host: str, port: int, limit_s: float, pause: Callable[[float], None] = time.sleep) -> None:
    """Return as soon as something answers at an address.

    Args:
        host: name or address of the first process's machine.
        port: its port.
        limit_s: seconds after which it is given up.
        pause: waits for a number of seconds.

    Raises:
        RunError: nothing answered.
    """
    end = time.monotonic() + limit_s
    while True:
        try:
            left = max(0.1, end - time.monotonic())
            with socket.create_connection((host, port), timeout=min(_CONNECT_S, left)):
                return
        except (OSError, OverflowError) as error:
            # A machine that is only being started may have no name yet, so that an unknown name is waited for too.
            if time.monotonic() + _RETRY_S > end:
                raise RunError(
                    f"The first process of this training did not answer at {host}:{port} within {limit_s:.0f} s: {error}. Look "
                    "at the output of rank 0, and at MASTER_ADDR and MASTER_PORT, which must be the same for all processes. "
                    f"For a longer wait set {WAIT_VARIABLE}, in seconds."
                ) from None
        pause(_RETRY_S)


@contextlib.contextmanager
def end_after(limit_s: float, message: str, leave: Callable[[int], None] = os._exit) -> Iterator[None]:
    """End this process with one line and exit code 1 where the block takes longer than `limit_s` seconds.

    It is for a call of JAX that would abort the process then; nothing that Python could catch comes of it.
    """

    def end() -> None:
        sys.stdout.flush()
        print(f"handnet: {message}", file=sys.stderr, flush=True)
        leave(1)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def collect_shared_facts(config: Config, dataset: DataSet, resume: bool) -> Facts:
    """Return what must be the same in all processes: settings, photos with their labels, and versions."""
    settings = {name: value for name, value in _flatten(config_to_tree(config)) if name not in _OWN_SETTINGS}
    digest = hashlib.blake2b(digest_size=8)
    for example in dataset.examples:
        name = os.path.normpath(example.path).removeprefix(os.path.normpath(dataset.directory))
        digest.update(f"{name!r} {write_label(example)!r}\n".encode(errors="surrogateescape"))
    return {
        "settings": {**settings, "--resume": "yes" if resume else "no"},
        "photos": {f"the table of {dataset.name}": f"{len(dataset.examples):,} photos, digest {digest.hexdigest()}"},
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def check_same(store: Store, total: int, rank: int, facts: Facts, limit_s: float) -> None:
    """Raise ConfigError, in every process, where one of them is about to train something else.

    Args:
        store: what all processes see.
        total: how many they are.
        rank: which one this is.
        facts: what it is about to train, from `collect_shared_facts`.
        limit_s: seconds to wait for the others.
    """
    milliseconds = int(1000 * limit_s)
    store.key_value_set(f"handnet/facts/{rank}", json.dumps(facts))
    everyone = [json.loads(store.blocking_key_value_get(f"handnet/facts/{i}", milliseconds)) for i in range(total)]
    # The first one's process holds the store: none may leave before all have read.
    store.wait_at_barrier("handnet/compared", milliseconds)
    if difference := describe_difference(everyone):
        raise ConfigError(
            f"The processes of this training do not train the same: {difference}. Start all of them with the same command, "
            "data and installation."
        )


def describe_difference(everyone: Sequence[Facts]) -> str:
    """Return what differs from the first process in the first one that differs, by kind; "" where all are the same."""
    first = everyone[0]
    for rank, facts in enumerate(everyone):
        differing = [kind for kind in first if facts.get(kind) != first[kind]]
        if differing:
            return "; ".join(
                f"{kind} differ ({_name_differences(first[kind], facts.get(kind, {}), rank)})" for kind in differing
            )
    return ""


def _name_differences(first: Mapping[str, str], other: Mapping[str, str], rank: int) -> str:
    names = [name for name in sorted({*first, *other}) if first.get(name) != other.get(name)]
    told = [
        printable(f"{name} is {first.get(name, 'absent')} on rank 0 and {other.get(name, 'absent')} on rank {rank}")
        for name in names[:_MOST_NAMED]
    ]
    more = len(names) - len(told)
    return ", ".join(told) + (f", and {more} more" if more else "")


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value)
