"""What is known needs no TensorFlow; the rest is left to an engine, or a few photos to the frozen graph."""

from pathlib import Path

import numpy as np
import pytest

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.data.cache import digest_bytes
from handnet.embedding import quick_embed
from handnet.embedding.frozen_encoder import FrozenPhoto
from handnet.embedding.kept_vectors import KeptPhoto, KeptVectors
from handnet.embedding.quick_embed import FROZEN, embed_quickly
from handnet.embedding.run_identity import describe_run
from tests.photos import write_jpeg
from tests.tiny import tiny_config


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / WEIGHTS_FILE).write_bytes(str(tmp_path).encode())
    return Run(tmp_path, tiny_config(), {})


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    shades = range(100, 103)
    return [str(write_jpeg(tmp_path / f"{shade}.jpg", np.full((40, 40, 3), shade, np.uint8))) for shade in shades]


def keep(run: Run, engine: str, precision: str, photos: list[str]) -> None:
    kept = KeptVectors(describe_run(run), engine, precision)
    for number, photo in enumerate(photos):
        kept.write(digest_bytes(Path(photo).read_bytes()), KeptPhoto(np.array([number, 1], np.float32)))


def test_known_photos_come_in_order_with_what_has_computed_them(run: Run, photos: list[str], tmp_path: Path) -> None:
    assert embed_quickly(run, photos, "auto") is None
    keep(run, "openvino", "bf16", photos)
    absent = str(tmp_path / "absent.jpg")
    found = embed_quickly(run, [photos[2], absent, photos[0]], "auto")
    assert found is not None
    assert (found.engine, found.precision) == ("openvino", "bf16")
    assert found.vectors.embeddings.tolist() == [[2, 1], [0, 1]]
    assert (found.vectors.rows, found.vectors.hands) == ([0, 2], {})
    assert found.vectors.problems == {absent: "No such file or directory"}
    assert embed_quickly(run, photos, "tensorflow") is None
    assert embed_quickly(run, photos, "openvino") is not None
    assert embed_quickly(run, [absent], "auto") is None, "no vector says how long one is"
    assert embed_quickly(run, ["https://host/a.jpg"], "auto") is None
    assert embed_quickly(run, photos, "no") is None


def test_a_changed_photo_or_a_switch_leaves_it_to_an_engine(
    run: Run, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(run, "tensorflow", "float32", photos)
    assert embed_quickly(run, photos, "auto") is not None
    monkeypatch.setenv("HANDNET_QUICK", "0")
    assert embed_quickly(run, photos, "auto") is None
    monkeypatch.delenv("HANDNET_QUICK")
    write_jpeg(Path(photos[1]), np.full((40, 40, 3), 7, np.uint8))
    assert embed_quickly(run, photos, "auto") is None


def test_a_few_new_photos_go_through_the_frozen_graph_and_are_known_then(
    run: Run, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    class Frozen:
        def embed(self, contents: bytes) -> FrozenPhoto:
            asked.append(contents)
            return FrozenPhoto("", None, np.array([7, 7], np.float32)) if len(asked) < 2 else FrozenPhoto("blank")

    monkeypatch.setattr(quick_embed, "read_frozen", lambda run: Frozen())
    keep(run, *FROZEN, photos[:1])
    for _ in range(2):
        found = embed_quickly(run, photos, "auto")
        assert found is not None
        assert found.engine == FROZEN[0]
        assert found.vectors.embeddings.tolist() == [[0, 1], [7, 7]]
        assert found.vectors.problems == {photos[2]: "blank"}
        assert len(asked) == 2
    assert embed_quickly(run, photos, "tensorflow") is None
    monkeypatch.setattr(quick_embed, "_MAX_FROZEN", 0)
    write_jpeg(Path(photos[1]), np.full((40, 40, 3), 8, np.uint8))
    assert embed_quickly(run, photos, "auto") is None, "too many"
