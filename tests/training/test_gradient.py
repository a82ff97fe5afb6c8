import csv
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

import handnet.training.gradient
from handnet.config.augmentation import AugmentConfig
from handnet.config.run_folder import Run, read_run, read_run_split
from handnet.config.settings import Config
from handnet.config.toml import read_config
from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.errors import ConfigError, DataError, DiskError, RunError
from handnet.images.photo_store import load_cached, prepare_photos
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from handnet.training.train import train
from tests.tiny import tiny_backbone, tiny_config, train_eagerly, write_tiny

# Two steps an epoch.
FEW_STEPS = {"people_per_batch": 8, "passes_per_epoch": 1}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return read_dataset("hands11k", write_tiny(tmp_path_factory.mktemp("data") / "hands", num_people=24))


@pytest.fixture(autouse=True)
def _tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


def run_quietly(config: Config, folder: Path, dataset: DataSet, **options: bool) -> Run:
    return train(config, folder, dataset, echo=lambda _: None, warn=lambda _: None, **options)


def read_weights(run: Run) -> list[np.ndarray]:
    return load_encoder(run).model.get_weights()


def test_a_run_learns_and_leaves_everything_needed_to_repeat_it(dataset: DataSet, tmp_path: Path) -> None:
    config = tiny_config(train={"epochs": 8}, optimizer={"learning_rate": 1e-2}, sampler={"passes_per_epoch": 4})
    lines: list[str] = []
    folder = tmp_path / "run"
    run = train(config, folder, dataset, command=["handnet", "train"], echo=lines.append, warn=lines.append)
    history = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["epoch"] for row in history] == [str(k) for k in range(8)]
    losses = [float(row["loss"]) for row in history]
    assert np.mean(losses[-2:]) < 0.6 * losses[0], "the loss falls"
    facts = json.loads((folder / "run.json").read_text())
    assert facts == run.facts
    assert facts["status"] == "finished"
    assert facts["best"]["val_mean_rank"] == min(float(row["val_mean_rank"]) for row in history)
    assert facts["seed"] == 0
    assert facts["command"] == ["handnet", "train"]
    assert facts["packages"]["keras"] == keras.version()
    assert len(facts["data"]["fingerprint"]) == 32
    assert read_config(folder / "config.toml") == config
    split = read_run_split(run)
    assert len(split.train) == int(0.68 * 24)
    assert list((folder / "tensorboard").rglob("events.out.tfevents.*")), "scalars for TensorBoard"
    assert not (folder / "checkpoint").exists()
    assert not list(tmp_path.glob("**/.part-*")), "no temporary file is left"
    assert any("Not the published split" in line for line in lines)
    assert any(line.startswith("device: ") and "float32" in line for line in lines)


def one_epoch_config(seed: int) -> Config:
    return tiny_config(train={"epochs": 1, "seed": seed}, sampler=FEW_STEPS)


@pytest.fixture(scope="module")
def one_epoch(dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of one epoch with seed 1; tests must not change it."""
    folder = tmp_path_factory.mktemp("one-epoch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(folder / "cache"))
        patch.setitem(BACKBONES, "tiny", tiny_backbone())
        train_eagerly(patch)
        return run_quietly(one_epoch_config(seed=1), folder / "run", dataset)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_another_gives_others(
    one_epoch: Run, dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_eagerly(monkeypatch)
    runs = [run_quietly(one_epoch_config(seed), tmp_path / str(seed), dataset) for seed in (1, 2)]
    first, again, other = (read_weights(run) for run in (one_epoch, *runs))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != c).any() for a, c in zip(first, other, strict=True))


class _Stop(keras.callbacks.Callback):
    """Interrupts as Ctrl-C does, in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch, self._now = epoch, -1

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._now = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._now == self._epoch and batch == 1:
            raise KeyboardInterrupt


def interrupt_at(epoch: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    original = handnet.training.gradient.CollapseDetector

    def build(margin: float | None, warn: Callable[[str], None]) -> keras.callbacks.CallbackList:
        return keras.callbacks.CallbackList([original(margin, warn), _Stop(epoch)])

    monkeypatch.setattr(handnet.training.gradient, "CollapseDetector", build)
    return lambda: monkeypatch.setattr(handnet.training.gradient, "CollapseDetector", original)


# Each has several of the things that a checkpoint must bring back. The first is trained by graphs, the others take few steps.
RESUMED: dict[str, dict[str, dict[str, object]]] = {
    "average-alike": {"optimizer": {"ema_momentum": 0.9}, "sampler": {"alike_fraction": 0.7}},
    "float16-pairs": {
        "train": {"precision": "mixed_float16"},
        "sampler": {"pairs_per_batch": 16},
        "loss": {"name": "contrastive", "options": {"margin": 2.0}},
    },
    "features-alike": {
        "sampler": {"alike_fraction": 0.7, **FEW_STEPS},
        "model": {"trainable": "none"},
        "features": {"cache": "on", "views": 3},
        "augment": vars(AugmentConfig()),
    },
}


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest, dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of three epochs that nobody interrupts, by the settings that a key of RESUMED names."""
    sections = RESUMED[request.param]
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(folder / "cache"))
        patch.setitem(BACKBONES, "tiny", tiny_backbone())
        if request.param != "average-alike":
            train_eagerly(patch)
        config = tiny_config(**{**sections, "train": {"epochs": 3, **sections.get("train", {})}})
        return run_quietly(config, folder / "run", dataset)


@pytest.mark.slow
@pytest.mark.parametrize("whole", RESUMED, indirect=True)
def test_an_interrupted_run_resumes_to_the_same_end(
    whole: Run, dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its first epoch it goes on from the beginning, stopped in its second from the checkpoint after the first."""
    config, folder = whole.config, tmp_path / "stopped"
    if not config.optimizer.ema_momentum:
        train_eagerly(monkeypatch)
    for epoch in (0, 1):
        undo = interrupt_at(epoch, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            run_quietly(config, folder, dataset, resume=epoch > 0)
        undo()
        assert read_run(folder).facts["status"] == "started"
        assert (folder / "history.csv").exists() == (epoch > 0)
    resumed = run_quietly(config, folder, dataset, resume=True)
    assert (folder / "history.csv").read_text() == (whole.folder / "history.csv").read_text()
    assert all((a == b).all() for a, b in zip(read_weights(whole), read_weights(resumed), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    [
        {},
        {
            "sampler": {"name": "pairs", "pairs_per_batch": 16},
            "loss": {"name": "contrastive", "options": {"margin": 2.0}},
        },
    ],
    ids=["people", "pairs"],
)
def test_a_head_trained_on_features_is_the_one_trained_on_photos(
    objective: dict[str, dict[str, object]], dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One of the two by graphs.
    if objective:
        train_eagerly(monkeypatch)
    runs, lines = {}, list[str]()
    for cache in ("off", "auto"):
        # Adam would make steps of rounding errors: the bias before the batch normalisation has no gradient.
        settings = {"model": {"trainable": "none"}, "optimizer": {"name": "sgd"}, **objective}
        config = tiny_config(features={"cache": cache}, train={"epochs": 3}, **settings)
        runs[cache] = train(config, tmp_path / cache, dataset, echo=lines.append, warn=lambda _: None)
    expected = (
        f"its features of 64 photos, 1 view each, and of {2 * 2 * 2} validation photos are computed once (72 pictures"
    )
    assert len([line for line in lines if expected in line]) == 1, lines
    whole, cached = (load_encoder(runs[cache]).model for cache in ("off", "auto"))
    assert len(cached.get_layer("tiny").weights) > 5, "the saved encoder is the full one"
    for expected, received in zip(whole.get_weights(), cached.get_weights(), strict=True):
        np.testing.assert_allclose(received, expected, atol=1e-5)
    histories = [np.loadtxt(tmp_path / name / "history.csv", delimiter=",", skiprows=1) for name in runs]
    np.testing.assert_allclose(histories[1], histories[0], atol=1e-4)


@pytest.mark.slow
def test_features_are_for_frozen_backbones_and_where_they_save_work(
    dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_eagerly(monkeypatch)
    with pytest.raises(ConfigError, match="features.cache = 'on' needs a frozen backbone.* Received: 'all'"):
        run_quietly(tiny_config(features={"cache": "on"}), tmp_path / "run", dataset)
    lines: list[str] = []
    # One epoch shows the backbone fewer pictures than eight views of every photo are.
    config = tiny_config(
        model={"trainable": "none"},
        features={"views": 8},
        train={"epochs": 1},
        sampler=FEW_STEPS,
        augment=vars(AugmentConfig()),
    )
    train(config, tmp_path / "run", dataset, echo=lines.append, warn=lambda _: None)
    assert not any("the backbone is frozen" in line for line in lines), lines


@pytest.mark.slow
def test_resuming_on_other_data_is_refused(dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_eagerly(monkeypatch)
    undo = interrupt_at(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_quietly(tiny_config(sampler=FEW_STEPS), tmp_path / "run", dataset)
    undo()
    other = read_dataset("hands11k", write_tiny(tmp_path / "other", num_people=24, seed=5))
    with pytest.raises(RunError, match="The data have changed since"):
        run_quietly(tiny_config(sampler=FEW_STEPS), tmp_path / "run", other, resume=True)


def test_an_existing_run_or_folder_is_an_error_before_any_work(
    one_epoch: Run, dataset: DataSet, tmp_path: Path
) -> None:
    before = (one_epoch.folder / "run.json").read_bytes()
    with pytest.raises(RunError, match="exists already. Continue it with --resume"):
        run_quietly(tiny_config(), one_epoch.folder, dataset)
    assert (one_epoch.folder / "run.json").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("keep me")
    with pytest.raises(RunError, match="exists and is not a run"):
        run_quietly(tiny_config(), tmp_path / "mine", dataset)


def test_a_full_disk_is_an_error_before_any_work(
    dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 1_000_000, "total": 10**9})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(DiskError, match=r"has 1.0 MB free and about \d+ MB are needed"):
        run_quietly(tiny_config(), tmp_path / "run", dataset)
    assert not (tmp_path / "run").exists()


def test_too_few_people_for_a_batch_is_an_error_before_training(dataset: DataSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="A batch needs 64 people .* Received: 16"):
        run_quietly(tiny_config(sampler={"people_per_batch": 64}), tmp_path / "run", dataset)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_loss_that_stays_at_the_margin_is_said_patience_stops_and_the_best_weights_are_kept(
    dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_eagerly(monkeypatch)
    # A rate of almost 0 never improves on the first epoch's validation rank. Margin 50 against distances of at most 2: the
    # loss cannot leave the margin's neighbourhood.
    sections = {
        "optimizer": {"learning_rate": 1e-9},
        "loss": {"name": "triplet", "options": {"margin": 50.0}},
        "sampler": FEW_STEPS,
    }
    lines: list[str] = []
    config = tiny_config(train={"epochs": 9, "patience": 2}, **sections)
    run = train(config, tmp_path / "best", dataset, echo=lambda _: None, warn=lines.append)
    assert (run.facts["best_epoch"], run.facts["epochs_done"]) == (0, 3)
    assert any("the loss has stayed at the margin (50) for 3 epochs" in line for line in lines), lines
    # Unless the last weights are wanted.
    last = run_quietly(tiny_config(train={"epochs": 2, "keep": "last"}, **sections), tmp_path / "last", dataset)
    assert last.facts["best_epoch"] == 1


@pytest.mark.parametrize("whole", ["average-alike"], indirect=True)
def test_validation_figures_are_those_of_the_kept_weights(whole: Run, dataset: DataSet) -> None:
    from handnet.data.splits.rules import select_part
    from handnet.embedding.encode import embed_files
    from handnet.metrics.ranking import compute_person_ranks

    examples = select_part(dataset, read_run_split(whole), "val")
    photos = prepare_photos([example.path for example in examples], whole.config.image)
    embeddings = embed_files(load_encoder(whole).model, photos.files)
    people, views = [example.identity for example in examples], [example.view for example in examples]
    assert np.mean(compute_person_ranks(embeddings, people, views)) == pytest.approx(
        whole.facts["best"]["val_mean_rank"]
    )


def test_cached_photos_are_read_back_as_they_were_decoded(dataset: DataSet) -> None:
    config = tiny_config().image
    paths = [example.path for example in dataset.examples[:3]]
    first = load_cached(prepare_photos(paths, config).files, config.size_px)
    assert first.shape == (3, 32, 32, 3)
    assert (load_cached(prepare_photos(paths, config).files, config.size_px) == first).all()
