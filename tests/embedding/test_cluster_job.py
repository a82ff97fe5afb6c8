"""The job of a cluster: what is kept, continued and refused; the cluster itself: test_ray_cluster.py."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import pytest

import handnet.embedding.cluster_job
from handnet.config.run_folder import Run, create_run
from handnet.config.settings import Config
from handnet.config.split import Split
from handnet.data.example import Example
from handnet.embedding.cluster_job import ClusterPlan, Embedded, embed_on_cluster, finish
from handnet.embedding.part_worker import PartWorker, WorkerJob, unpack_examples
from handnet.embedding.ray_cluster import Pool
from handnet.errors import RunError
from handnet.metrics.embedded import load_part
from handnet.networks.backbones import BACKBONES
from tests.tiny import tiny_backbone

pytestmark = pytest.mark.usefixtures("without_graphs")

BATCH_SIZE = 4


class InProcess:
    """Instead of a cluster: the worker in this process, stopped after some parts."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.stop_after = 1000

    def embed(self, job: WorkerJob, parts: Sequence[tuple[int, bytes]], pool: Pool) -> Iterator[dict[str, Any]]:
        assert pool == Pool(2, 3, 0.0)
        worker = PartWorker(job)
        for number, packed in parts:
            if len(self.done) == self.stop_after:
                raise KeyboardInterrupt
            self.done.append(number)
            yield worker.embed_part(number, unpack_examples(packed))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    fake = InProcess()
    monkeypatch.setattr(handnet.embedding.cluster_job, "join_cluster", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(handnet.embedding.cluster_job, "plan_pool", lambda *_: Pool(2, 3, 0.0))
    monkeypatch.setattr(handnet.embedding.cluster_job, "embed_parts", fake.embed)
    return fake


@pytest.fixture
def run(config: Config, encoder: keras.Model, tmp_path: Path) -> Run:
    run = create_run(tmp_path / "run", config, {}, Split(("1",), (), ("2",)))
    encoder.save_weights(run.folder / "model.weights.h5")
    return run


def label(photos: Sequence[str]) -> list[Example]:
    return [Example(path, f"{k // 2:07d}", ("dorsal", "palmar")[k % 2]) for k, path in enumerate(photos)]


def embed(run: Run, examples: Sequence[Example], output: Path, batch_size: int = BATCH_SIZE) -> Embedded:
    return embed_on_cluster(
        run, examples, {}, str(output), ClusterPlan("local"), "tensorflow", batch_size, part_size=BATCH_SIZE
    )


def test_it_continues_with_what_is_missing_and_refuses_what_is_different(
    run: Run, photos: list[str], cluster: InProcess, tmp_path: Path, encoder: keras.Model
) -> None:
    Path(photos[2]).write_bytes(b"")
    examples, output = label(photos), tmp_path / "out"
    cluster.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        embed(run, examples, output)
    assert cluster.done == [0, 1]
    cluster.stop_after = 1000
    assert embed(run, examples, output) == Embedded(10, {photos[2]: "empty file"})
    assert cluster.done == [0, 1, 2]
    finish(str(output), len(examples), BATCH_SIZE)
    part = load_part(output)
    assert list(part.paths) == photos[:2] + photos[3:]
    # A worker was killed between its two files; another part is gone.
    (output / "part-000000.json").unlink()
    (output / "part-000002.json").unlink()
    (output / "part-000002.parquet").unlink()
    cluster.done.clear()
    embed(run, examples, output)
    assert cluster.done == [0, 2]
    assert (load_part(output).embeddings == part.embeddings).all()
    for changed, batch_size, expected in (
        (examples[1:], BATCH_SIZE, "other photos or labels. Give the same as when it was begun, or another folder"),
        ([*examples[1:], examples[0]], BATCH_SIZE, "other photos or labels"),
        (examples, 3, "another engine or batch size"),
    ):
        with pytest.raises(RunError, match=expected):
            embed(run, changed, output, batch_size)
    shutil.copyfile(photos[1], photos[0])
    with pytest.raises(RunError, match="other photos or labels"):
        embed(run, examples, output)
    encoder.save_weights(run.folder / "model.weights.h5")
    variable = encoder.trainable_variables[0]
    kept = variable.numpy()
    variable.assign(kept + 1)
    encoder.save_weights(run.folder / "model.weights.h5")
    variable.assign(kept)
    with pytest.raises(RunError, match="another model and of other photos or labels"):
        embed(run, examples, output)
    (output / "manifest.json").write_text("[]")
    with pytest.raises(RunError, match="a damaged manifest"):
        embed(run, examples, output)


@pytest.mark.parametrize(
    "damaged", ['{"photos": 4', "[]", '{"photos": 4}', '{"photos": 3, "vectors": 3, "problems": []}']
)
def test_a_damaged_record_is_one_line(
    run: Run, photos: list[str], cluster: InProcess, tmp_path: Path, damaged: str
) -> None:
    examples, output = label(photos[:4]), tmp_path / "out"
    cluster.stop_after = 0
    with pytest.raises(KeyboardInterrupt):
        embed(run, examples, output)
    (output / "part-000000.json").write_text(damaged)
    expected = r"part-000000\.json in '.*' is damaged. Delete it and run the command again"
    with pytest.raises(RunError, match=expected):
        embed(run, examples, output)
    with pytest.raises(RunError, match=expected):
        finish(str(output), len(examples), BATCH_SIZE)


def test_addresses_that_are_signed_again_are_the_same_photos(run: Run, cluster: InProcess, tmp_path: Path) -> None:
    cluster.stop_after = 0
    for signature in ("one", "two"):
        with pytest.raises(KeyboardInterrupt):
            embed(run, [Example(f"https://host.example/a.jpg?sig={signature}", "")], tmp_path / "out")
    with pytest.raises(RunError, match="other photos"):
        embed(run, [Example("https://host.example/b.jpg?sig=two", "")], tmp_path / "out")


def test_what_cannot_be_begun_is_one_line(run: Run, photos: list[str], cluster: InProcess, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("")
    with pytest.raises(RunError, match="holds other files. Give an empty or new folder"):
        embed(run, label(photos), tmp_path / "mine")
    (run.folder / "model.weights.h5").unlink()
    with pytest.raises(RunError, match=r"has no model\.weights\.h5"):
        embed(run, label(photos), tmp_path / "out")
    assert not cluster.done
    assert not (tmp_path / "out").exists()
