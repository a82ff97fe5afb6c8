"""`handnet.load`: a run or a SavedModel, from paths, bytes and arrays."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import handnet
from handnet.config.run_folder import Run
from handnet.data.blank_rule import BLANK
from handnet.errors import DataError, RunError
from handnet.evaluation.verify import load_verifier, verify_once
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from tests.photos import USABLE, write_zeroed_jpeg
from tests.tiny import tiny_backbone


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


@pytest.fixture
def colours(pairs_run: Run) -> list[Path]:
    return sorted((pairs_run.folder.parent / "data").glob("*/*.png"))


def test_paths_bytes_and_arrays_give_the_same_vectors(pairs_run: Run, colours: list[Path]) -> None:
    model = handnet.load(pairs_run.folder)
    photo = colours[0]
    pixels = np.asarray(Image.open(photo).convert("RGB"))
    rows = model.embed([photo, str(photo), photo.read_bytes(), pixels])
    assert rows.shape == (4, model.width)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows, rows[:1].repeat(4, axis=0), atol=1e-6)
    np.testing.assert_allclose(model.embed(photo), rows[:1], atol=1e-6)
    np.testing.assert_allclose(model.embed(pixels), rows[:1], atol=1e-6)
    assert model.embed([]).shape == (0, model.width)
    # More than a batch, in order.
    many = model.embed(colours[:40])
    np.testing.assert_allclose(many[35], model.embed(colours[35])[0], atol=1e-6)


def test_verify_says_the_same_as_the_command(pairs_run: Run, colours: list[Path]) -> None:
    first, second = colours[0], colours[-1]
    expected = verify_once(load_verifier(pairs_run, load_encoder(pairs_run)), str(first), str(second)).verdict
    found = handnet.load(pairs_run).verify(first, second.read_bytes())
    assert (found.same, found.system, found.threshold) == (expected.same, "pair classifier", expected.threshold)
    assert found.score == pytest.approx(expected.score, abs=1e-5)
    assert found.probability == pytest.approx(expected.probability, abs=1e-4)


def test_a_run_explains_and_a_saved_model_says_that_it_cannot(
    pairs_run: Run, colours: list[Path], exported: Any
) -> None:
    model = handnet.load(pairs_run)
    found = model.explain(colours[0], colours[-1].read_bytes())
    first, second = model.embed([colours[0], colours[-1]])
    assert found.score == pytest.approx(float(first @ second), abs=1e-5)
    assert found.occlusion.shape == (2, 8, 8)
    with pytest.raises(RunError, match="is an exported model, which cannot explain. Load the run"):
        handnet.load(exported.export.folder.parent).explain(colours[0], colours[1])


@pytest.mark.slow
def test_a_saved_model_embeds_and_verifies(exported: Any, photos: Mapping[str, Path], tmp_path: Path) -> None:
    model = handnet.load(exported.export.folder.parent)
    good = [photos[name] for name in USABLE][:2]
    rows = model.embed([good[0], good[1].read_bytes()])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    # The model itself reads no TIFF, and takes a damaged JPEG for what is left of it.
    np.testing.assert_allclose(model.embed(photos["tiff"]), model.embed(photos["png"]), atol=1e-5)
    with pytest.raises(DataError, match="damaged: Corrupt JPEG data"):
        model.embed(write_zeroed_jpeg(tmp_path / "zeroed.jpg"))
    verdict = model.verify(*good)
    assert verdict.score == pytest.approx(float(rows[0] @ rows[1]), abs=1e-5)
    assert verdict.same == (verdict.score >= verdict.threshold)
    assert 0 <= verdict.probability <= 1


def test_a_saved_model_compares_no_photo_of_several_hands(
    exported: Any, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = handnet.load(exported.export.folder.parent)
    answers = {
        "embed": {"ok": np.ones(2, bool), "embeddings": np.zeros((2, 8), np.float32)},
        "verify": {"ok": [False], "first_problem": [b""], "second_problem": [b"several hands"]},
    }
    monkeypatch.setattr(model._encoder, "signatures", SimpleNamespace(run=lambda name, **_: answers[name]))
    with pytest.raises(DataError, match=r"^1 photo cannot be used.*: .*png: several hands|several hands"):
        model.verify(photos["jpeg"], photos["png"])


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        ("gone.png", "gone.png"),
        (b"no photo", "photo 2"),
        (np.zeros((8, 8), np.uint8), "must be uint8 (H, W, 3). Received: uint8 (8, 8)."),
        (np.zeros((8, 8, 3)), "must be uint8 (H, W, 3). Received: float64 (8, 8, 3)."),
        (None, "Received: NoneType."),
    ],
)
def test_a_photo_that_cannot_be_used_is_one_line(photo: Any, message: str, pairs_run: Run, colours: list[Path]) -> None:
    model = handnet.load(pairs_run)
    for act in (lambda: model.embed([colours[0], photo]), lambda: model.verify(colours[0], photo)):
        with pytest.raises(DataError) as error:
            act()
        assert message in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["run", "saved model"])
def test_photos_of_nothing_are_refused_and_not_matched(kind: str, pairs_run: Run, exported: Any) -> None:
    model = handnet.load(pairs_run if kind == "run" else exported.export.folder.parent)
    noise = np.random.default_rng(0).normal(0, 3, (120, 160, 3))
    sheet, table = (np.clip(level + noise, 0, 255).astype(np.uint8) for level in (250, 120))
    with pytest.raises(DataError) as error:
        model.verify(sheet, table)
    assert str(error.value).count(BLANK) == 2
    with pytest.raises(DataError, match=BLANK):
        model.embed(np.zeros((48, 64, 3), np.uint8))


def test_what_is_no_model_is_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(RunError, match=r"There is no model at .*Expected a run folder .* or saved_models/NAME"):
            handnet.load(folder)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/saved_model.pb").write_bytes(b"")
    with pytest.raises(RunError, match="is not a SavedModel of handnet"):
        handnet.load(tmp_path)
