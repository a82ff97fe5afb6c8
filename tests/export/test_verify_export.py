"""Two photos verified by an exported model: the answer of its signature, without TensorFlow, with the reasons of a refusal."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handnet.cli.main import cli
from handnet.errors import DataError, GalleryError, RunError
from handnet.export.exported_model import FACTS_FILE, ExportedModel, find_export, is_export, open_quickly, read_export
from handnet.export.loaded_model import LoadedModel
from handnet.export.verify_export import verify_exported
from handnet.gallery.exported_encoder import SavedModelEncoder
from handnet.images.unusable_photos import NO_HAND
from handnet.networks.graph_session import GraphError
from tests.exported import CALIBRATION, Exported
from tests.quick_answer import answer_without_tensorflow

# What the optimizer of TensorFlow, which the C library does without, may round otherwise.
ERROR = 1e-5


@pytest.fixture
def model(exported: Exported) -> ExportedModel:
    return read_export(exported.export.folder)


def test_the_answer_is_the_signatures(exported: Exported, model: ExportedModel, photos: Mapping[str, Path]) -> None:
    assert (model.width, model.hand_finder, model.calibration, model.by_classifier) == (8, "", CALIBRATION, False)
    quick, loaded = open_quickly(model.folder), LoadedModel(model.folder)
    assert quick is not None
    first, second = str(photos["jpeg"]), str(photos["grey-jpeg"])
    contents = [Path(path).read_bytes() for path in (first, second)]
    expected = loaded.run("verify", first=contents[:1], second=contents[1:])
    for signatures in (quick, loaded):
        [verdict, hands] = verify_exported(model, signatures, first, second)
        assert verdict.score == pytest.approx(float(expected["similarity"][0]), abs=ERROR)
        assert verdict.probability == pytest.approx(float(expected["probability"][0]), abs=1e-4)
        assert (verdict.same, verdict.threshold, verdict.system) == (bool(expected["decision"][0]), 0.4, "distance")
        assert hands == []
        # Pillow decodes what the graph does not.
        assert verify_exported(model, signatures, str(photos["webp"]), first).verdict.score > 0.9
        for name in ("zero-byte", "text", "truncated-jpeg", "truncated-png"):
            with pytest.raises(DataError, match="1 of 2 photos cannot be used"):
                verify_exported(model, signatures, first, str(photos[name]))
        with pytest.raises(GraphError):
            signatures.run("other", photos=contents)


class Seeing:
    """Signatures that say of two photos what is given."""

    def __init__(self, ok: bool = True, quality: float = 0.5, finding: bytes = b"one hand") -> None:
        self._found: dict[str, Any] = {
            "embeddings": np.eye(2, 8, dtype=np.float32),
            "ok": np.array([True, ok]),
            "hand_score": np.array([1.0, 0.75]),
            "view": np.array([b"dorsal", b"palmar"], object),
            "side": np.array([b"left", b"right"], object),
            "view_confidence": np.array([0.75, 0.5]),
            "quality": np.array([1.0, quality]),
            "finding": np.array([b"one hand", finding], object),
        }
        self.asked: list[str] = []

    def run(self, signature: str, **inputs: Any) -> dict[str, Any]:
        self.asked.append(signature)
        return self._found if signature == "embed" else {"similarity": np.array([0.25])}


def test_what_the_model_sees_decides_what_is_refused(model: ExportedModel, photos: Mapping[str, Path]) -> None:
    first, second = str(photos["jpeg"]), str(photos["png"])
    found = verify_exported(model, Seeing(), first, second)
    assert found.verdict.score == 0.0
    assert found.hands[1] == (0.75, "right", "palmar", 0.5, 0.5, "one hand")
    by_classifier = Seeing()
    found = verify_exported(model._replace(by_classifier=True), by_classifier, first, second)
    assert (found.verdict.score, found.verdict.system, by_classifier.asked) == (
        0.25,
        "pair classifier",
        ["embed", "verify"],
    )
    for seeing in (Seeing(finding=b"several hands"), Seeing(quality=0.0)):
        with pytest.raises(DataError, match="1 of 2 photos cannot be used"):
            verify_exported(model, seeing, first, second)
    with pytest.raises(DataError, match=NO_HAND["landmarks"][:30]):
        verify_exported(model._replace(hand_finder="landmarks"), Seeing(ok=False), first, second)


def test_models_that_cannot_answer_say_so(
    model: ExportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match="no calibration.*handnet eval RUN"):
        verify_exported(model._replace(calibration=None), Seeing(), "", "")
    copy = tmp_path / "hands" / "10"
    shutil.copytree(model.folder, copy)
    shutil.copytree(model.folder, tmp_path / "hands" / "9")
    assert (find_export(copy), find_export(copy.parent), find_export(tmp_path)) == (copy, copy, None)
    assert not is_export(tmp_path)
    facts = json.loads((copy / FACTS_FILE).read_text())
    for damaged in (
        "{",
        "[]",
        "{}",
        json.dumps({**facts, "calibration": {"slope": 1}}),
        json.dumps({**facts, "image": 0}),
        json.dumps({**facts, "embedding_size": float("inf")}),
    ):
        (copy / FACTS_FILE).write_text(damaged)
        with pytest.raises(RunError, match="is damaged"):
            read_export(copy)
    (copy / FACTS_FILE).write_text(json.dumps(facts))
    assert read_export(copy).width == model.width
    graph = (copy / "saved_model.pb").read_bytes()
    (copy / "saved_model.pb").write_bytes(graph[:-1] + bytes([graph[-1] ^ 1]))
    with pytest.raises(RunError, match="saved_model.pb was changed since the export.*handnet export RUN"):
        read_export(copy)
    with pytest.raises(GalleryError, match="saved_model.pb was changed since the export"):
        SavedModelEncoder(copy)
    # As exports were that did not name it.
    del facts["graph_digest"]
    (copy / FACTS_FILE).write_text(json.dumps(facts))
    assert read_export(copy).width == model.width
    # Cut off within a number, which TensorFlow reports as an IndexError.
    [weights] = (copy / "variables").glob("*.data-*")
    weights.write_bytes(weights.read_bytes()[:2])
    with pytest.raises(GraphError):
        LoadedModel(copy)
    (copy / "saved_model.pb").write_bytes(b"rubbish")
    assert open_quickly(copy) is None
    with pytest.raises(GraphError):
        LoadedModel(copy)
    monkeypatch.setenv("HANDNET_QUICK", "0")
    assert open_quickly(model.folder) is None


@pytest.mark.parametrize("name", ["embeddings", "ok", "view"])
def test_outputs_of_another_shape_are_an_error(model: ExportedModel, photos: Mapping[str, Path], name: str) -> None:
    class Odd(Seeing):
        def run(self, signature: str, **inputs: Any) -> dict[str, Any]:
            return {**super().run(signature, **inputs), name: np.zeros((3, 8))}

    class Lacking(Seeing):
        def run(self, signature: str, **inputs: Any) -> dict[str, Any]:
            return {key: value for key, value in super().run(signature, **inputs).items() if key != name}

    for signatures in [Odd(), *([Lacking()] if name != "view" else [])]:
        with pytest.raises(GraphError, match=f"gives '{name}' of the shape"):
            verify_exported(model, signatures, str(photos["jpeg"]), str(photos["png"]))


def test_the_command_names_a_damaged_model(model: ExportedModel, photos: Mapping[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model.folder, tmp_path / "hands" / "1"))
    (copy / "saved_model.pb").write_bytes(b"rubbish")
    arguments = ["verify", str(copy), str(photos["jpeg"]), str(photos["png"])]
    with pytest.raises(RunError, match="hands/1' is damaged .*Export the run again"):
        cli.main(arguments, standalone_mode=False)


def test_the_command_needs_no_tensorflow(model: ExportedModel, photos: Mapping[str, Path]) -> None:
    folder = str(model.folder.parent)
    assert answer_without_tensorflow("verify", folder, str(photos["jpeg"]), str(photos["png"]))["same"]
