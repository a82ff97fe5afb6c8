"""`handnet.evaluate`: the figures and the page of a run."""

import json
from pathlib import Path

import pytest

import handnet
from handnet.data.readers.hands11k import read_hands11k
from handnet.networks.backbones import BACKBONES
from tests.evaluation.runs import build_run
from tests.tiny import tiny_backbone, write_tiny


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    return build_run(tmp_path / "run", read_hands11k(write_tiny(tmp_path / "data", 14, photos_per_view=1))).folder


@pytest.mark.slow
def test_a_run_is_evaluated_with_a_page(run: Path, tmp_path: Path) -> None:
    found = handnet.evaluate(run, output=tmp_path / "out", explain=1, echo=lambda line: None)
    assert found.metrics is not None
    assert found.pair_metrics is None
    assert found.metrics["retrieval"]["person"]["dorsal_to_palmar"]["mean_rank"] >= 1
    assert json.loads((found.folder / "metrics.json").read_text())["seed"] == found.metrics["seed"]
    assert {path.name for path in found.folder.iterdir()} == set(found.files)
    page = found.report.read_text()
    assert page.startswith("<!doctype html>")
    # The worst query alone, with the wrong person found first and with the right one.
    assert page.count('class="reason"') == 2
    assert "there are no exact shares, and occlusion is measured" in page


def test_what_cannot_be_evaluated_is_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(handnet.HandnetError, match=r"^Unknown part 'tset'. Did you mean 'test'\?"):
        handnet.evaluate(run, part="tset")
    with pytest.raises(handnet.HandnetError, match="^There is no run folder"):
        handnet.evaluate(tmp_path / "gone")
