"""The processes that train together, on JAX: who they are, what share of the work each has, what they tell one another.

Every process runs the same program; JAX sees the devices of all, and a compiled step sees the whole batch.
"""

import atexit
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import keras
import numpy as np
import numpy.typing as npt

from handnet.errors import ConfigError, HandnetError, RunError, quote
from handnet.training.joining import (
    WAIT_VARIABLE,
    Facts,
    check_port,
    check_same,
    end_after,
    read_wait,
    wait_for_port,
)

# What `torchrun` and Kubernetes' training operators set; Slurm, Open MPI and indexed Kubernetes jobs are JAX's own affair.
LAUNCHER_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE")
# A process that does not answer so long is taken for dead: its machine may be slow, but it is not lost for a minute.
_HEARTBEAT_S = 60
_SHUTDOWN_S = 30
# Seconds beyond which JAX aborts the process, after the wait that ends with a line.
_JAX_LATER_S = 60
# In what Gloo (CPUs), NCCL (GPUs) and JAX's own service say of a process that does not answer.
_Number = TypeVar("_Number", bound=np.generic)
_WORDS_OF_LOSS = ("gloo", "nccl", "coordination service", "connection closed", "connection reset", "heartbeat")
# Numbers that are sent at a time: they go through the devices' memory.
_NUMBERS_AT_ONCE = 1 << 24


class Nodes(NamedTuple):
    """The processes that train together, as seen by one of them.

    Attributes:
        total: how many they are.
        rank: which one this is, from 0. The first one alone prints and writes.
    """

    total: int = 1
    rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    def share(self, num_rows: int) -> slice:
        """Return which of `num_rows` rows are this process's: equal parts, in order, up to one row."""
        return slice(num_rows * self.rank // self.total, num_rows * (self.rank + 1) // self.total)

    def gather(self, rows: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        """Return the rows (N, …) of all processes in order; each gives its own (n, …), n by `share`."""
        if self.total == 1:
            return rows
        width = max(1, int(np.prod(rows.shape[1:])))
        rows_at_once = max(1, _NUMBERS_AT_ONCE // (width * self.total))
        most = max(self._gather_sizes(len(rows)))
        parts = [
            self._gather_equal(rows[begin : begin + rows_at_once], min(rows_at_once, most - begin))
            for begin in range(0, most, rows_at_once)
        ]
        return np.concatenate([part[rank] for rank in range(self.total) for part in parts]) if parts else rows

    def gather_texts(self, texts: Sequence[str]) -> list[str]:
        """Return the texts of all processes in order."""
        if self.total == 1:
            return list(texts)
        mine = np.frombuffer(json.dumps(list(texts)).encode(), np.uint8)
        everyone = self._gather_equal(mine, max(self._gather_sizes(len(mine))))
        return [text for part in everyone for text in json.loads(part.tobytes())]

    def _gather_sizes(self, size: int) -> list[int]:
        from jax.experimental import multihost_utils

        return [int(n) for n in np.ravel(multihost_utils.process_allgather(np.int32(size)))]

    def _gather_equal(self, rows: npt.NDArray[_Number], length: int) -> list[npt.NDArray[_Number]]:
        """Return each process's rows; JAX sends arrays of one shape, so they are filled up to `length` and cut again."""
        from jax.experimental import multihost_utils

        filled = np.zeros((length, *rows.shape[1:]), rows.dtype)
        filled[: len(rows)] = rows
        sizes, everyone = self._gather_sizes(len(rows)), np.asarray(multihost_utils.process_allgather(filled))
        return [part[:size] for part, size in zip(everyone, sizes, strict=True)]


ALONE = Nodes()


def join_nodes(num_nodes: int) -> Nodes:
    """Join the other processes of a training, and spread all that is trained from now on over the devices of all.

    On JAX one process alone spreads it over its own devices, where it has several. Call it before JAX is used.

    Args:
        num_nodes: how many processes train together.

    Returns:
        Who this process is.

    Raises:
        ConfigError: another backend than JAX, or a launcher that says nothing, or something else, of the processes, or a
            port in use.
        RunError: the first process does not answer.
    """
    if keras.backend.backend() != "jax":
        if num_nodes > 1:
            raise ConfigError(
                "Training on several nodes runs on JAX: set KERAS_BACKEND=jax (pip install 'handnet[jax]'). TensorFlow's "
                f"MultiWorkerMirroredStrategy fails under this Keras. Received: --nodes {num_nodes} on "
                f"{keras.backend.backend()!r}."
            )
        return ALONE
    import jax

    if num_nodes > 1:
        _initialize(num_nodes)
        # What is drawn without a seed of its own, e.g. the noise of dropout, must be the same on all.
        keras.utils.set_random_seed(0)
    if jax.device_count() > 1:
        devices = keras.distribution.list_devices()
        keras.distribution.set_distribution(
            # Each process reads its own rows of a batch: see `build_training_data`.
            keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
        )
    return Nodes(jax.process_count(), jax.process_index())


def check_same_training(nodes: Nodes, facts: Facts) -> None:
    """Compare what all processes are about to train.

    Args:
        nodes: the processes that train together.
        facts: what this one will train.

    Raises:
        ConfigError: another one will train something else; every process raises it.
        RunError: another one has not said what it will train.
    """
    if nodes.total == 1:
        return
    import jax
    from jax._src import distributed

    # Public functions of JAX send arrays, through compiled steps that may be what differs.
    store = distributed.global_state.client
    assert store is not None
    try:
        check_same(store, nodes.total, nodes.rank, facts, read_wait())
    except jax.errors.JaxRuntimeError as error:
        raise RunError(
            "Another process of this training ended, or stood still, before it said what it trains; its own output says why. "
            f"Received: {error}"
        ) from None
    except ConfigError:
        # All are here. Whoever left without a word would be taken for dead, and JAX would abort the others.
        jax.distributed.shutdown()
        raise


@contextlib.contextmanager
def end_together(nodes: Nodes, folder: Path) -> Iterator[None]:
    """Let a process that fails within the block end at once, by which the others notice, and say so where another did.

    Args:
        nodes: the processes that train together.
        folder: the run folder.

    Raises:
        RunError: another process has ended.
    """
    try:
        yield
    except BaseException as error:
        if nodes.total > 1:
            atexit.register(_leave, error.exit_code if isinstance(error, HandnetError) else 1)
            if _is_about_others(error):
                raise RunError(
                    "Another process of this training has ended; its own output says why. Continue, on any number of nodes: "
                    f"handnet train --resume --run {quote(folder)}"
                ) from None
        raise


def _is_about_others(error: BaseException) -> bool:
    import jax

    # What is sent outside a compiled step fails as a ValueError.
    text = str(error).lower() if isinstance(error, (jax.errors.JaxRuntimeError, ValueError)) else ""
    return any(word in text for word in _WORDS_OF_LOSS)


def _leave(exit_code: int) -> None:
    """End before JAX waits at its exit for the other processes, which may wait for this one."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def check_batch(num_rows: int) -> None:
    """Raise ConfigError where a batch of `num_rows` photos, or pairs, cannot be spread evenly over all devices."""
    distribution = keras.distribution.distribution()
    num_devices = 1 if distribution is None else distribution.device_mesh.devices.size
    if num_rows % num_devices:
        raise ConfigError(
            f"A batch must have a multiple of {num_devices} photos (or pairs): as many on each of {num_devices} devices. "
            f"Received: {num_rows}. Give another --batch."
        )


def _initialize(num_nodes: int) -> None:
    import jax

    from_launcher = {name: os.environ.get(name, "") for name in LAUNCHER_VARIABLES}
    wait_s = read_wait()
    initialize = partial(
        jax.distributed.initialize,
        initialization_timeout=wait_s + _JAX_LATER_S,
        heartbeat_timeout_seconds=_HEARTBEAT_S,
        shutdown_timeout_seconds=_SHUTDOWN_S,
    )
    place = "the address that the launcher gives"
    if all(from_launcher.values()):
        total, rank, port = (_read_number(name) for name in ("WORLD_SIZE", "RANK", "MASTER_PORT"))
        _check_count(num_nodes, total)
        if rank >= total:
            raise ConfigError(f"Expected a RANK from 0 to {total - 1}, as WORLD_SIZE is {total}. Received: {rank}.")
        # Several processes on one machine: one device each.
        several = os.environ.get("LOCAL_WORLD_SIZE", "1") != "1"
        device = _read_number("LOCAL_RANK") if several else None
        place = f"{from_launcher['MASTER_ADDR']}:{port}"
        initialize = partial(initialize, place, total, rank, device, cluster_detection_method="deactivate")
    print(f"waiting for {num_nodes} processes at {place}, for {wait_s} s at most", file=sys.stderr, flush=True)
    if all(from_launcher.values()):
        if rank == 0:
            check_port(port)
        else:
            wait_for_port(from_launcher["MASTER_ADDR"], port, wait_s)
    late = (
        f"Not all of {num_nodes} processes were at {place} within {wait_s} s. See that each was started, its output, and that "
        f"its machine reaches that address. For a longer wait set {WAIT_VARIABLE}, in seconds."
    )
    try:
        with end_after(wait_s, late):
            initialize()
    except (ValueError, RuntimeError) as error:
        missing = [name for name, value in from_launcher.items() if not value]
        what = f"{', '.join(missing)} not set, and no Slurm, Open MPI or Kubernetes found" if missing else error
        raise ConfigError(
            f"--nodes {num_nodes} needs a launcher that tells each process who it is: {', '.join(LAUNCHER_VARIABLES)} in its "
            f"environment, or Slurm, Open MPI or an indexed Kubernetes job. Received: {what}."
        ) from None
    _check_count(num_nodes, jax.process_count())


def _check_count(expected: int, count: int) -> None:
    if count != expected:
        raise ConfigError(f"--nodes {expected} was given, and the launcher says that there are {count} processes.")


def _read_number(name: str) -> int:
    value = os.environ.get(name, "")
    if not value.isdecimal():
        raise ConfigError(f"Expected a number in {name}, from 0. Received: {value!r}.")
    return int(value)
