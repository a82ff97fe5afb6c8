"""Evaluation on pairs of photos."""

import json

import pytest

from handnet.config.run_folder import Run, read_run_split
from handnet.data.pair_table import select_pairs
from handnet.data.readers import read_dataset
from handnet.metrics.pairs.calibration import load_calibration
from handnet.metrics.pairs.classifiers import BASELINES
from handnet.networks.backbones import BACKBONES
from tests.tiny import tiny_backbone


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


def test_evaluation_compares_systems_on_people_not_trained_on(pairs_run: Run) -> None:
    metrics = json.loads((pairs_run.folder / "eval-test" / "pairs.json").read_text())
    assert list(metrics["systems"]) == ["pair classifier", "distance", *BASELINES, "raw pixels"]
    assert metrics["systems"]["raw pixels"]["auc"] > 0.95, "colours are told apart by their pixels"
    assert metrics["systems"]["distance"]["num_people"] == 4
    page = (pairs_run.folder / "eval-test" / "report.html").read_text()
    for heading in ("Figures", "Taken for one person", "ROC curves", "Worst errors"):
        assert heading in page
    calibration = load_calibration(pairs_run.folder / "calibration.json")
    dataset = read_dataset("folder", pairs_run.folder.parent / "data")
    kept_back = select_pairs(dataset, read_run_split(pairs_run), "val")
    assert calibration.num_genuine == int(kept_back.same.sum())
