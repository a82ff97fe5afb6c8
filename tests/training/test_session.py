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
from handnet.errors import DiskError, RunError
from handnet.files import hold_lock
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from handnet.training.train import train
from tests.tiny import tiny_backbone, tiny_config, write_tiny


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return read_dataset("hands11k", write_tiny(tmp_path_factory.mktemp("data") / "hands", num_people=10))


@pytest.fixture(autouse=True)
def _tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


def stop_after(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first epochs pass and stop the next one as Ctrl-C does."""

    def stop(self: keras.callbacks.Callback, now: int, logs: dict[str, float] | None = None) -> None:
        if now == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr("handnet.training.callbacks.keeper.Keeper.on_epoch_begin", stop, raising=False)


def test_a_run_goes_on_when_the_weights_and_the_split_that_it_began_with_are_gone(
    dataset: DataSet, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tiny_config(train={"epochs": 1}, data={"split": "fractions"})
    train(first, Path("first"), dataset, echo=lambda _: None)
    write_split(make_split("fractions", dataset), Path("split.csv"))
    config = tiny_config(
        train={"epochs": 2}, data={"split": "file", "split_options": {"path": "split.csv"}}, model={"weights": "first"}
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
