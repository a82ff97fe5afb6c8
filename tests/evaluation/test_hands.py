"""Evaluation of a run on photos with views."""

from functools import partial
from pathlib import Path

import pytest

from handnet.data.readers import read_dataset
from handnet.evaluation.hands import describe_run, evaluate_run
from handnet.evaluation.kept_thresholds import CALIBRATION_FILE, load_thresholds
from handnet.evaluation.run_part import RunPart
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from tests.evaluation.runs import build_run
from tests.tiny import tiny_backbone, write_tiny


@pytest.mark.slow
def test_thresholds_are_for_the_test_part_alone_and_baselines_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    monkeypatch.setattr("handnet.metrics.all_figures.NUM_REPLICATES", 20, raising=False)
    dataset = read_dataset("hands11k", write_tiny(tmp_path / "data", num_people=10, photos_per_view=1))
    run = build_run(tmp_path / "run", dataset)
    of = RunPart(run, partial(load_encoder, run), dataset, "test")
    on_test, part = evaluate_run(of)
    assert on_test["calibration"]["num_validation_people"] == 3
    assert set(on_test["verification"]["thresholds"]) == {"equal_error", "best_f1"}
    assert set(on_test["baselines"]) == {"raw pixels", "skin colour"}
    assert len(part.embeddings) == 6
    (run.folder / CALIBRATION_FILE).unlink()
    on_val, _ = evaluate_run(of._replace(part="val"))
    assert not on_val.get("calibration")
    assert not on_val["verification"]["thresholds"]
    assert load_thresholds(run, pytest.fail).num_people == 3, "`handnet verify` of a run without one advises --part val"
    about = describe_run(run, dataset, "test")
    assert (about["run"], about["seed"]) == (str(run.folder), str(run.config.train.seed))
