"""A model whose crops go by landmarks says of each photo what it sees, from the bytes and from the pixels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.export.signatures import write_archive
from handnet.images.photo_store import build_hand_decoder
from handnet.serving.client.calls import SEEN_OUTPUTS
from tests.exported import Exported
from tests.hand_models import find_hand_models, write_hand


def run(signature: Any, **inputs: tf.Tensor) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in signature(**inputs).items()}


@pytest.mark.slow
def test_hands_are_found_on_any_background_and_described(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))
    image = replace(exported.image, crop="hand-canonical", hand_finder="landmarks")
    write_archive(exported.encoder, image, None, tmp_path / "model")
    # It runs without them.
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(tmp_path))
    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    photo, blank = write_hand(tmp_path / "hand.jpg"), tmp_path / "blank.png"
    pixels = np.asarray(Image.open(photo))
    Image.fromarray(np.full_like(pixels, 200)).save(blank)
    contents = [Path(photo).read_bytes(), blank.read_bytes(), b"no photo"]
    seen = run(signatures["embed"], photos=tf.constant(contents))
    assert set(seen) == {"embeddings", "ok", *SEEN_OUTPUTS}
    assert seen["ok"].tolist() == [True, False, False]
    assert seen["view"].tolist() == [b"dorsal", b"", b""]
    assert seen["side"].tolist() == [b"right", b"", b""]
    for name in ("hand_score", "view_confidence", "quality", "landmarks"):
        assert not seen[name][1:].any(), name
    assert seen["finding"].tolist() == [b"one hand", b"no hand", b"no hand"]
    assert seen["hand_score"][0] > 0.9
    Image.fromarray(np.concatenate([pixels, pixels[:, ::-1]], axis=1)).save(tmp_path / "two.png")
    two = (tmp_path / "two.png").read_bytes()
    assert run(signatures["embed"], photos=tf.constant([two]))["finding"].tolist() == [b"several hands"]
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))
    decoded = build_hand_decoder(image)(contents[0])
    assert decoded.hand is not None
    assert decoded.hand.view == "dorsal"
    np.testing.assert_allclose(
        [decoded.hand.score, decoded.hand.confidence, decoded.hand.quality],
        [seen[name][0] for name in ("hand_score", "view_confidence", "quality")],
        atol=1e-4,
    )
    vector = exported.encoder.model.predict_on_batch(decoded.pixels[None])  # type: ignore[index]
    np.testing.assert_allclose(seen["embeddings"][:1], vector, atol=1e-5)
    # The middle finger's tip is hand, not one of the dark blue stripes: the landmarks are fractions of the photo.
    y, x = (seen["landmarks"][0, 12] * pixels.shape[:2]).astype(int)
    assert pixels[y, x, 0] > pixels[y, x, 2]
    same = run(signatures["embed_pixels"], images=tf.constant(np.stack([np.asarray(Image.open(blank)), pixels])))
    assert same["view"].tolist() == [b"", b"dorsal"]
    assert np.abs(same["embeddings"][1] - seen["embeddings"][0]).max() < 0.05
    assert run(signatures["embed"], photos=tf.constant([], tf.string))["landmarks"].shape == (0, 21, 2)


def test_models_without_landmarks_say_what_they_always_said(exported: Exported) -> None:
    outputs = tf.saved_model.load(str(exported.export.folder)).signatures["embed"].structured_outputs
    assert set(outputs) == {"embeddings", "ok"}
