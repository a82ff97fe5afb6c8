"""One function trains by every method."""

from pathlib import Path

import pytest

from handnet.config.settings import Config
from handnet.data.dataset import DataSet
from handnet.errors import DiskError
from handnet.files import hold_lock
from handnet.networks.heads import HEADS
from handnet.training.train import METHODS, train
from tests.tiny import tiny_config


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
