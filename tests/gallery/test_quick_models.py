"""A run's frozen graphs as a gallery's model: its digest, its vectors, its refusals; and the run itself where a graph fails."""

from pathlib import Path

import numpy as np
import pytest

from handnet.config.run_folder import read_run
from handnet.embedding.frozen_encoder import FrozenEncoder
from handnet.gallery import frozen_look
from handnet.gallery.bound_models import RunEncoder
from handnet.gallery.exported_encoder import SavedModelEncoder
from handnet.gallery.photo_encoder import Embedded, PhotoEncoder
from handnet.gallery.quick_models import FrozenRunEncoder, QuickExportEncoder, load_quickly
from handnet.networks.graph_session import GraphError
from tests.gallery.world import World


def refuse() -> PhotoEncoder:
    raise AssertionError("the graph does not fail")


def test_the_frozen_graphs_are_the_run_after_its_first_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"kind": "run", "path": str(world.run)}
    assert load_quickly(source, refuse) is None
    whole = RunEncoder(read_run(world.run))
    assert whole.keep_frozen(world.part.paths[:2]) == ""
    quick = load_quickly(source, refuse)
    assert isinstance(quick, FrozenRunEncoder)
    assert (quick.digest, quick.width, quick.source) == (whole.digest, whole.width, whole.source)
    good = Path(world.part.paths[0]).read_bytes()
    photos = [good[:700], good, b"", b"text", np.zeros((48, 64, 3), np.uint8), world.run / "missing.jpg"]
    for received, expected in zip(quick.embed(photos), whole.embed(photos), strict=True):
        assert received.reason == expected.reason
        assert (received.kind, received.quality, received.remarks) == (
            expected.kind,
            expected.quality,
            expected.remarks,
        )
        assert (received.vector is None) == (expected.vector is None)
        if received.vector is not None:
            np.testing.assert_allclose(received.vector, expected.vector, atol=1e-5)
    assert load_quickly({"kind": "run", "path": str(world.data)}, refuse) is None
    assert load_quickly({}, refuse) is None
    # With hand models their graph must be there too.
    with monkeypatch.context() as patch:
        patch.setattr(frozen_look, "has_hand_models", lambda: True)
        assert load_quickly(source, refuse) is None
    monkeypatch.setenv("HANDNET_QUICK", "0")
    assert load_quickly(source, refuse) is None


def test_an_exported_model_needs_no_first_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"kind": "saved_model", "path": str(world.model)}
    quick = load_quickly(source, refuse)
    assert isinstance(quick, QuickExportEncoder)
    whole = SavedModelEncoder(world.model)
    assert (quick.digest, quick.width, quick.source) == (whole.digest, whole.width, whole.source)
    assert not quick.lacks_frozen()
    paths = [Path(path) for path in world.part.paths[:2]]
    photos = [paths[0], b"text", paths[1], np.zeros((48, 64, 3), np.uint8)]
    for received, expected in zip(quick.embed(photos), whole.embed(photos), strict=True):
        assert received.reason == expected.reason
        if expected.vector is not None:
            np.testing.assert_allclose(received.vector, expected.vector, atol=1e-5)
    assert load_quickly({"kind": "saved_model", "path": str(world.data)}, refuse) is None
    with monkeypatch.context() as patch:
        patch.setattr(frozen_look, "has_hand_models", lambda: True)
        assert load_quickly(source, refuse) is None, "the graph that looks at hands is not kept"
    monkeypatch.setenv("HANDNET_QUICK", "0")
    assert load_quickly(source, refuse) is None


def test_where_a_signature_fails_the_exported_model_is_loaded_whole(world: World) -> None:
    class Failing:
        def run(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
            raise GraphError("no memory")

    class Whole:
        def embed(self, photos: object) -> list[Embedded]:
            return [Embedded(np.array([1, 0], np.float32))]

    whole: PhotoEncoder = Whole()  # type: ignore[assignment]
    quick = QuickExportEncoder(SavedModelEncoder(world.model, frozen_look.look_at_pixels, Failing()), lambda: whole)
    [found] = quick.embed([Path(world.part.paths[0])])
    assert found.vector.tolist() == [1, 0]


def test_where_a_graph_fails_the_run_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        digest, width = "0" * 32, 2

        def embed(self, contents: bytes) -> None:
            raise GraphError("no memory")

    class Whole:
        def embed(self, photos: object) -> list[Embedded]:
            return [Embedded(np.array([1, 0], np.float32))]

    encoder: FrozenEncoder = Failing()  # type: ignore[assignment]
    loaded: list[int] = []

    def load() -> PhotoEncoder:
        loaded.append(1)
        return Whole()  # type: ignore[return-value]

    quick = FrozenRunEncoder(read_run(world.run), encoder, frozen_look.look_at_pixels, load)
    [found] = quick.embed([Path(world.part.paths[0])])
    assert (loaded, found.vector.tolist()) == ([1], [1, 0])
