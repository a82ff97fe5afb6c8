"""`handnet.compare`: what `handnet compare` says, from Python."""

from pathlib import Path

import pytest

import handnet
from handnet.data.readers.hands11k import read_hands11k
from handnet.networks.backbones import BACKBONES
from tests.cli.test_compare import write_vectors
from tests.evaluation.runs import build_run
from tests.tiny import tiny_backbone, write_tiny


def test_runs_are_compared_and_written_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    dataset = read_hands11k(write_tiny(tmp_path / "data", 14, photos_per_view=1))
    good, bad = (build_run(tmp_path / name, dataset) for name in ("good", "bad"))
    with pytest.raises(
        handnet.HandnetError, match=r"good' has not been evaluated on its test part\. Evaluate it: handnet eval"
    ):
        handnet.compare(good, bad)
    for run, noise in ((good, 0.05), (bad, 3.0)):
        write_vectors(run.folder, noise)
    found = handnet.compare(good, tmp_path / "bad", protocol="photo")
    change = found["differences"][0]["recall_at_1"]
    assert change["difference"] == found["runs"][1]["recall_at_1"] - found["runs"][0]["recall_at_1"] < 0
    assert {path.name for path in tmp_path.iterdir()} == {"data", "good", "bad"}, "nothing is written unasked"
    handnet.compare(good, bad, output=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.html",
        "comparison.json",
        "differences.svg",
    }
    with pytest.raises(handnet.HandnetError, match="Unknown protocol 'person'"):
        handnet.compare(good, bad, protocol="person")
