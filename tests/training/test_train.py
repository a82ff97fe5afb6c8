"""One function trains by every method."""

from pathlib import Path
from typing import NoReturn

import pytest

from handnet.config.settings import Config
from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.errors import DataError, DiskError
from handnet.files import hold_lock
from handnet.networks.heads import HEADS
from handnet.training.train import METHODS, train
from tests.tiny import tiny_config, write_tiny


def test_every_head_has_a_method_and_every_method_a_head() -> None:
    assert {head.method for head in HEADS.values()} == set(METHODS)


def test_the_head_chooses_the_method_and_all_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, dataset = tiny_config(), DataSet("hands11k", "/", [], [])
    monkeypatch.setattr("handnet.training.train.METHODS", {"gradient": lambda job: job})
    job = train(config, tmp_path / "run", dataset, resume=True, command=["handnet", "train"], echo=[].append)
    assert isinstance(job.config, Config)
    assert (job.folder, job.dataset, job.resume, job.command) == (
        tmp_path / "run",
        dataset,
        True,
        ["handnet", "train"],
    )


def test_a_run_that_another_process_trains_is_left_alone(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "run"), pytest.raises(DiskError, match="Another process"):
        train(tiny_config(), tmp_path / "run", DataSet("hands11k", "/", [], []))


def test_people_who_are_too_few_with_all_photos_are_refused_before_any_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read_dataset("hands11k", write_tiny(tmp_path / "data", num_people=1))
    lines: list[str] = []

    def decode(*_arguments: object) -> NoReturn:
        pytest.fail("a photo was decoded")

    monkeypatch.setattr("handnet.images.without_hand.find_unusable", decode)
    cropped = tiny_config(image={"crop": "hand"}, data={"skip_without_hand": True})
    with pytest.raises(DataError, match="people"):
        train(cropped, tmp_path / "run", dataset, echo=lines.append, warn=lines.append)
    assert not lines
    assert not (tmp_path / "run").exists()
