"""A Ray cluster of a head and two worker processes on this machine: a worker is killed, and nothing is lost or twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from handnet.config.run_folder import Run, create_run
from handnet.config.split import Split
from handnet.console import Count
from handnet.data.example import Example
from handnet.embedding.cluster_job import ClusterPlan, embed_on_cluster, finish
from handnet.embedding.engines import build_engine
from handnet.embedding.job import embed_photos
from handnet.embedding.ray_cluster import Pool, check_cluster, join_cluster, plan_pool
from handnet.embedding.ray_head import SETTINGS
from handnet.errors import ClusterError, ConfigError
from handnet.metrics.embedded import load_part
from handnet.networks.device import set_precision
from handnet.networks.encoder import build_encoder
from tests.photos import picture, write_jpeg
from tests.tiny import tiny_config

BATCH_SIZE = 4
STORE_BYTES = 80_000_000


# In a process of its own, as handnet.embedding.ray_head says.
PROGRAM = """
import sys
from ray.cluster_utils import Cluster
quiet = {"object_store_memory": int(sys.argv[1])}
started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **quiet})
for _ in range(2):
    started.add_node(num_cpus=2, **quiet)
print(started.address, flush=True)
sys.stdin.read()
started.shutdown()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster whose head does no work and whose two machines have two cores each."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN", "a-token-of-the-tests-that-is-long-enough")
        command = [sys.executable, "-c", PROGRAM, str(STORE_BYTES)]
        settings = {**os.environ, **SETTINGS}
        with subprocess.Popen(
            command, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, "Ray did not start: see what it wrote above"
            yield address


def list_workers() -> list[psutil.Process]:
    """Return the processes that embed, of this test's cluster alone."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "MapWorker" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_writes_nothing_twice(cluster: str, tmp_path: Path) -> None:
    set_precision("float32")
    # The workers know what the package holds alone.
    config = tiny_config(model={"arch": "mini", "weights": "none"})
    encoder = build_encoder(config).model
    run: Run = create_run(tmp_path / "run", config, {}, Split(("1",), (), ("2",)))
    encoder.save_weights(run.folder / "model.weights.h5")
    photos = [str(write_jpeg(tmp_path / f"{k:02}.jpg", np.roll(picture(), 3 * k, axis=1))) for k in range(38)]
    Path(photos[5]).write_bytes(b"")
    examples = [Example(path, f"{k // 2:07d}", ("dorsal", "palmar")[k % 2]) for k, path in enumerate(photos)]
    killed: list[int] = []
    seen: list[int] = []

    def kill_one(name: str) -> Count:
        def tell(done: int, total: int) -> None:
            assert total == len(photos)
            seen.append(done)
            if not killed:
                # The other one is at work too: whichever of its parts is lost is done again.
                worker = list_workers()[-1]
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)

        return tell

    output = tmp_path / "out"
    embedded = embed_on_cluster(
        run, examples, {}, str(output), ClusterPlan(cluster), "tensorflow", BATCH_SIZE, kill_one, part_size=BATCH_SIZE
    )
    assert killed
    assert seen == sorted(set(seen))
    assert seen[-1] == len(photos), "each part is counted once"
    finish(str(output), len(photos), BATCH_SIZE)
    part = load_part(output)
    assert list(part.paths) == photos[:5] + photos[6:], "one row for each photo, in order"
    assert embedded.problems == {photos[5]: "empty file"}
    engine = build_engine("tensorflow", encoder, config.image, BATCH_SIZE)
    alone = embed_photos(photos, config.image, engine, encoder, tmp_path / "part", BATCH_SIZE)
    assert alone.problems == embedded.problems
    assert (part.embeddings == alone.embeddings).all(), "to the bit, with two threads a worker and one here"
    with join_cluster(cluster, 0):
        with pytest.raises(ClusterError, match="room for 4 workers with a core each"):
            plan_pool(5, 0.0)
        assert plan_pool(0, 0.0) == Pool(2, 2, 0.0)
        with pytest.raises(ClusterError, match="room for 0 workers with 1 GPU each"):
            plan_pool(0, 1.0)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")  # For its token: Ray reads one for good.
def test_a_local_cluster_is_started_apart_from_the_threads_of_this_process_and_ended() -> None:
    with join_cluster("local", 0):
        assert plan_pool(1, 0.0).size == 1
        heads = [child for child in psutil.Process().children() if "handnet.embedding.ray_head" in child.cmdline()]
        assert len(heads) == 1
        parts = heads[0].children(recursive=True)
        assert {"gcs_server", "raylet"} <= {part.name() for part in parts}
    # They may be other processes' dead ones for a moment.
    psutil.wait_procs(parts, timeout=20)
    assert not [part for part in parts if part.is_running() and part.status() != psutil.STATUS_ZOMBIE]


def test_addresses_are_checked_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for cluster in ("local", "auto", "ray://head.example:10001", "10.0.0.1:6379", "[::1]:6379"):
        check_cluster(cluster)
    for cluster in ("", "ray://", "http://head:8265", "ray://user:password@head:10001", "head", "ray://head:1;rm"):
        with pytest.raises(ConfigError, match="must be local, auto, ray://HOST:10001 or HOST:6379"):
            check_cluster(cluster)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs the extra `cluster`: pip install 'handnet\[cluster\]'"):
        check_cluster("local")
