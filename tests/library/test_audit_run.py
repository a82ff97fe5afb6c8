"""`handnet.audit`: what `handnet audit` writes, from Python."""

import json
from pathlib import Path

import pytest

import handnet
from handnet.data.readers.hands11k import read_hands11k
from handnet.evaluation.alterations import ALTERATIONS
from handnet.networks.backbones import BACKBONES
from handnet.networks.weights.manifest import hash_file
from tests.evaluation.runs import build_run
from tests.tiny import tiny_backbone, write_tiny


def test_a_run_is_audited_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    # Of the others tests/evaluation/test_audit.py: each is a graph that takes seconds to trace.
    monkeypatch.setattr("handnet.evaluation.audit.ALTERATIONS", {"whole": ALTERATIONS["whole"]})
    run = build_run(tmp_path / "run", read_hands11k(write_tiny(tmp_path / "data", 14, photos_per_view=1)))
    found = handnet.audit(run, output=tmp_path / "out", echo=lambda line: None)
    assert {*found["conditions"]} == {"whole", "bare"}
    assert found["weights"] == hash_file(run.folder / "model.weights.h5")
    assert json.loads((tmp_path / "out/audit.json").read_text())["conditions"].keys() == found["conditions"].keys()
    with pytest.raises(handnet.HandnetError, match=r"^Unknown part 'tset'"):
        handnet.audit(run, part="tset")
