"""`handnet.export_model`: what is exported is loaded again and gives the run's vectors."""

from pathlib import Path

import numpy as np
import pytest

import handnet
from handnet.config.run_folder import Run
from handnet.networks.backbones import BACKBONES
from tests.tiny import tiny_backbone


def test_an_exported_run_is_loaded_again(pairs_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    told: list[str] = []
    result = handnet.export_model(pairs_run, tmp_path / "hands", echo=told.append)
    assert [line.split(" ")[0] for line in told[-3:]] == ["loading", "writing", "comparing"]
    assert result.folder == tmp_path / "hands/1"
    photos = sorted((pairs_run.folder.parent / "data").glob("*/*.png"))
    run, model = handnet.load(pairs_run), handnet.load(tmp_path / "hands")
    np.testing.assert_allclose(model.embed(photos[:3]), run.embed(photos[:3]), atol=1e-5)
    ours, theirs = run.verify(photos[0], photos[9]), model.verify(photos[0], photos[9])
    assert (ours.same, ours.system, ours.threshold) == (theirs.same, theirs.system, pytest.approx(theirs.threshold))
    assert ours.probability == pytest.approx(theirs.probability, abs=1e-4)


def test_an_unknown_format_is_one_line(pairs_run: Run, tmp_path: Path) -> None:
    with pytest.raises(handnet.HandnetError, match="Unknown format 'onyx'. Did you mean 'onnx'"):
        handnet.export_model(pairs_run, tmp_path / "hands", format_name="onyx")
