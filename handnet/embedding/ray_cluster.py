"""Parts of photos embedded by the workers of a Ray cluster, by Ray Data: an actor for each device.

The loop over the parts runs in an actor on the cluster and is asked for what is done, since Ray Data does not run through the
client (ray://). A worker that is killed is started again, and its part is done again.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import handnet
from handnet.embedding.ray_head import start_ray
from handnet.errors import ClusterError, ConfigError, HandnetError

if TYPE_CHECKING:
    from handnet.embedding.part_worker import WorkerJob

# Ray's store of objects holds the model and the names of photos.
_LEAST_STORE_BYTES = 100_000_000
# Of one part. What ends more workers than this is the part itself, e.g. a photo that breaks a decoder.
_NUM_TRIES = 6
_POLL_S = 0.3
_ADDRESS = re.compile(r"(ray://)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}


class Pool(NamedTuple):
    """The workers of a job.

    Attributes:
        size: how many there are.
        num_cpus: cores of each.
        num_gpus: GPUs of each, 0 for none; a part of one where several share it.
    """

    size: int
    num_cpus: int
    num_gpus: float


def check_cluster(cluster: str) -> None:
    """Raise ConfigError where Ray is not installed, or `cluster` is no address of one."""
    if cluster not in ("local", "auto") and not _ADDRESS.fullmatch(cluster):
        raise ConfigError(f"--cluster must be local, auto, ray://HOST:10001 or HOST:6379. Received: {cluster!r}.")
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--cluster needs the extra `cluster`: pip install 'handnet[cluster]'.")


@contextlib.contextmanager
def join_cluster(cluster: str, store_bytes: int) -> Iterator[None]:
    """Be connected to a cluster during the block; a local one is started for it and ended with it.

    Args:
        cluster: "local", "auto" (the one that RAY_ADDRESS names, or that runs on this machine), ray://HOST:PORT, HOST:PORT.
        store_bytes: room for objects, of a local one.

    Raises:
        ClusterError: it cannot be reached.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with contextlib.ExitStack() as stack:
        if cluster == "local":
            # Ray makes sockets in it, whose paths may be 107 characters long.
            folder = tempfile.mkdtemp(prefix="handnet-ray-", dir="/tmp" if os.path.isdir("/tmp") else None)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            store = max(_LEAST_STORE_BYTES, store_bytes)
            local = {"include_dashboard": False, "object_store_memory": store, "_temp_dir": folder, **quiet}
            where: dict[str, Any] = {"address": stack.enter_context(start_ray(local))}
        else:
            # The workers run the very code that asks them.
            where = {"address": cluster, "runtime_env": {"py_modules": [os.path.dirname(handnet.__file__)]}}
        import ray

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(**where, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ClusterError(
                f"The cluster {cluster!r} cannot be joined: {reason}. Is it running, with the same versions of Ray and "
                "Python? Where it asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN."
            ) from None
        stack.callback(ray.shutdown)
        yield


def plan_pool(num_workers: int, num_gpus: float) -> Pool:
    """Return how many workers the cluster gets, and what each has of it.

    Args:
        num_workers: 0: one for each GPU, or part of one, that `num_gpus` names; without GPUs one for each machine.
        num_gpus: GPUs of each worker.

    Raises:
        ClusterError: the cluster has not so many GPUs or cores.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    cores = [int(node["CPU"]) for node in nodes]
    if num_gpus:
        # A worker has all its GPUs on one machine.
        room = int(sum(int(node.get("GPU", 0)) // max(num_gpus, 1) / min(num_gpus, 1) for node in nodes))
    else:
        room = sum(cores) if num_workers else len(cores)
    size = num_workers or room
    if not size or size > room:
        kind = f"{num_gpus:g} GPU" if num_gpus else "a core"
        raise ClusterError(
            f"The cluster has room for {room:,} workers with {kind} each ({len(nodes):,} machines, {sum(cores):,} cores). "
            f"Received: {f'--workers {num_workers}' if num_workers else 'none asked for'}. Add machines, or ask for less."
        )
    # So many that all workers fit: the machine with the fewest cores bounds it.
    each = -(-size // len(nodes))
    return Pool(size, max(1, min(cores) // each), num_gpus)


def embed_parts(job: "WorkerJob", parts: Sequence[tuple[int, bytes]], pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield the record of each part as it is done, in any order.

    Args:
        job: what the workers need.
        parts: number and packed photos of each.
        pool: the workers.

    Raises:
        HandnetError: a worker met what is not the fault of a photo.
        ClusterError: the cluster gave up.
    """
    import ray

    remote: Any = ray.remote
    conductor = remote(num_cpus=0, max_concurrency=2, max_restarts=0)(_Conductor).remote()
    model = ray.put(job)
    running = conductor.run.remote([model], parts, pool)
    try:
        is_done = False
        while not is_done:
            is_done = bool(ray.wait([running], timeout=_POLL_S)[0])
            if is_done:
                # Raises what ended the loop.
                ray.get(running)
            for record in ray.get(conductor.take.remote()):
                if error := record.get("error"):
                    raise ClusterError(error)
                yield record
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].rstrip(".")
        raise ClusterError(
            f"The cluster gave up: {reason}. What is done is kept: run the command again to continue."
        ) from None
    finally:
        with contextlib.suppress(Exception):
            ray.kill(conductor)


class _Conductor:
    """Runs Ray Data on the cluster, and keeps what is done until it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[dict[str, Any]] = []

    def run(self, model: list[Any], parts: Sequence[tuple[int, bytes]], pool: Pool) -> None:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        rows = ray.data.from_items(
            [{"number": number, "photos": photos} for number, photos in parts], override_num_blocks=len(parts)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = rows.map_batches(
                _RayWorker,
                fn_constructor_args=(model,),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(pool.size, len(parts)), max_tasks_in_flight_per_actor=1),
                num_cpus=pool.num_cpus,
                num_gpus=pool.num_gpus or None,
                runtime_env={"env_vars": {**_QUIET, "TF_NUM_INTRAOP_THREADS": str(pool.num_cpus)}},
                max_restarts=-1,
                max_task_retries=_NUM_TRIES - 1,
            )
        for row in done.iter_rows():
            with self._lock:
                self._records.append(json.loads(row["record"]))

    def take(self) -> list[dict[str, Any]]:
        """Return the records that have come since it was last asked."""
        with self._lock:
            records, self._records = self._records, []
        return records


class _RayWorker:
    """The actor of a device."""

    def __init__(self, model: list[Any]) -> None:
        import ray

        # TensorFlow is for the workers alone.
        from handnet.embedding.part_worker import PartWorker

        self._worker = PartWorker(ray.get(model[0]))

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        numbers, photos = batch["number"].tolist(), batch["photos"].tolist()
        return {"record": [self._embed(*part) for part in zip(numbers, photos, strict=True)]}

    def _embed(self, number: int, photos: bytes) -> str:

        from handnet.embedding.part_worker import unpack_examples

        try:
            return json.dumps(self._worker.embed_part(number, unpack_examples(photos)))
        except HandnetError as error:
            # Ray would try what no second try mends.
            return json.dumps({"error": str(error)})
