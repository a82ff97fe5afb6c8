import json
from pathlib import Path

import pytest

from handnet.config.run_folder import read_run, read_run_split
from handnet.config.settings import Config
from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.errors import RunError
from handnet.evaluation.folds import cross_validate
from handnet.metrics.embedded import load_part
from handnet.networks.backbones import BACKBONES, Backbone
from tests.tiny import build_tiny, tiny_config, write_tiny


def validate(config: Config, folder: Path, dataset: DataSet) -> tuple[dict[str, object], list[str]]:
    lines: list[str] = []
    return cross_validate(config, folder, dataset, 2, echo=lines.append, warn=lines.append), lines


def test_every_person_is_tested_once_by_a_model_that_has_not_seen_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", Backbone(build_tiny))
    dataset = read_dataset("hands11k", write_tiny(tmp_path / "data"))
    config = tiny_config(train={"epochs": 1})
    metrics, _ = validate(config, tmp_path / "cv", dataset)
    assert metrics["num_people"] == 16
    tested: list[str] = []
    for fold in range(2):
        run = read_run(tmp_path / f"cv/fold-{fold}")
        people = set(load_part(run.folder / "eval-test/embeddings.npz").identities.tolist())
        assert people == set(read_run_split(run).test)
        assert not people & (set(read_run_split(run).train) | set(read_run_split(run).val))
        tested += sorted(people)
    assert sorted(tested) == dataset.identities
    saved = json.loads((tmp_path / "cv/metrics.json").read_text())
    assert saved["protocols"]["person_template"]["dorsal_to_palmar"]["num_people"] == 16

    again, lines = validate(config, tmp_path / "cv", dataset)
    assert not any(line.startswith("fold ") for line in lines), "finished folds are not done again"
    assert again["protocols"]["photo"] == metrics["protocols"]["photo"]
    with pytest.raises(RunError, match="fold-0' is a fold of other settings"):
        validate(tiny_config(train={"epochs": 2}), tmp_path / "cv", dataset)
