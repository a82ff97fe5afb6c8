"""The opening of every training: who may write a run, and what a continued one still needs."""

import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.config.split import write_split
from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.data.splits.rules import make_split
from handnet.errors import DataError, DiskError, RunError
from handnet.evaluation.hands import describe_run
from handnet.files import hold_lock
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from handnet.training.train import train
from tests.tiny import tiny_backbone, tiny_config, train_eagerly, write_tiny


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return read_dataset("hands11k", write_tiny(tmp_path_factory.mktemp("data") / "hands", num_people=10))


@pytest.fixture(autouse=True)
def _tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    train_eagerly(monkeypatch)


# Two steps an epoch.
SAMPLER = {"people_per_batch": 3, "passes_per_epoch": 1}


def stop_after(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first epochs pass and stop the next one as Ctrl-C does."""

    def stop(self: keras.callbacks.Callback, now: int, logs: dict[str, float] | None = None) -> None:
        if now == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr("handnet.training.callbacks.keeper.Keeper.on_epoch_begin", stop, raising=False)


@pytest.mark.slow
def test_a_run_goes_on_when_the_weights_and_the_split_that_it_began_with_are_gone(
    dataset: DataSet, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tiny_config(train={"epochs": 1}, data={"split": "fractions"}, sampler=SAMPLER)
    train(first, Path("first"), dataset, echo=lambda _: None)
    write_split(make_split("fractions", dataset), Path("split.csv"))
    config = tiny_config(
        train={"epochs": 2},
        data={"split": "file", "split_options": {"path": "split.csv"}},
        model={"weights": "first"},
        sampler=SAMPLER,
    )
    whole = train(config, Path("whole"), dataset, echo=lambda _: None)
    with monkeypatch.context() as context:
        stop_after(1, context)
        with pytest.raises(KeyboardInterrupt):
            train(config, Path("stopped"), dataset, echo=lambda _: None)
    shutil.rmtree("first")
    Path("split.csv").unlink()
    resumed = train(config, Path("stopped"), dataset, resume=True, echo=lambda _: None)
    with pytest.raises(RunError, match="The run 'stopped' is finished already. Evaluate it: handnet eval stopped"):
        train(config, Path("stopped"), dataset, resume=True, echo=lambda _: None)
    for expected, received in zip(*(load_encoder(run).model.get_weights() for run in (whole, resumed)), strict=True):
        np.testing.assert_array_equal(received, expected)


def test_two_processes_do_not_write_one_run(dataset: DataSet, tmp_path: Path) -> None:
    for resume in (False, True):
        with hold_lock(tmp_path / "run"), pytest.raises(DiskError, match="Another process .* is writing '.*/run'"):
            train(tiny_config(), tmp_path / "run", dataset, resume=resume, echo=lambda _: None)
    with pytest.raises(RunError, match="There is no run folder"):
        train(tiny_config(), tmp_path / "run", dataset, resume=True, echo=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_sampler_is_said_before_photos_are_decoded(
    dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.training.session.prepare_photos", lambda *_: pytest.fail("photos were decoded"))
    config = tiny_config(data={"split": "fractions"})
    config = replace(config, sampler=replace(config.sampler, name="pairs"))
    with pytest.raises(Exception, match=r"takes batches of people\. Received: sampler\.name='pairs'") as caught:
        train(config, tmp_path / "run", dataset, echo=lambda _: None)
    assert getattr(caught.value, "exit_code", None) == 2


@pytest.mark.slow
def test_weights_that_have_seen_test_people_are_warned_of_and_written_down(dataset: DataSet, tmp_path: Path) -> None:
    lines: list[str] = []
    settings = {"data": {"split": "k-fold"}, "train": {"epochs": 1}, "sampler": SAMPLER}
    first = train(tiny_config(**settings), tmp_path / "first", dataset, echo=lambda _: None, warn=lines.append)
    assert not any("have seen" in line for line in lines)
    other = tiny_config(
        train={"epochs": 1},
        data={"split": "k-fold", "split_options": {"fold": 1}},
        model={"weights": str(first.folder)},
        sampler=SAMPLER,
    )
    second = train(other, tmp_path / "second", dataset, echo=lambda _: None, warn=lines.append)
    line, of_validation = (line for line in lines if "have seen" in line)
    assert f"the weights of the run {str(first.folder)!r} have seen 1 of 2 test people (4 of their photos)" in line
    assert second.facts["test_seen_by_weights"]["num_people"] == 1
    assert describe_run(second, dataset, "test")["warning"] == line
    assert "validation people" in of_validation
    assert describe_run(second, dataset, "val")["warning"] == of_validation
    assert second.facts["identical_photos"] == {"under_two_people": 0, "in_two_parts": 0}


@pytest.mark.slow
def test_photos_of_one_view_are_trained_on_where_the_loss_takes_any(dataset: DataSet, tmp_path: Path) -> None:
    backs = [example for example in dataset.examples if example.view == "dorsal"]
    lines: list[str] = []
    config = tiny_config(train={"epochs": 1}, loss={"name": "triplet", "options": {"margin": 0.5, "views": "any"}})
    one_view = replace(dataset, examples=backs, rows=backs)
    run = train(config, tmp_path / "run", one_view, echo=lines.append, warn=lines.append)
    assert run.facts["status"] == "finished"
    assert "all photos are of one view: those of a person are matched with one another." in lines
    with pytest.raises(DataError, match="give --set loss.options.views=any"):
        train(tiny_config(), tmp_path / "other", one_view, echo=lines.append)
