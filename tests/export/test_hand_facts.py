"""A model whose crops go by landmarks says of each photo what it sees, from the bytes and from the pixels."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.config.image import ImageConfig
from handnet.export.compare_archive import Reference, compare_archive
from handnet.export.signatures import decide_pairs, write_archive
from handnet.images.hand.findings import SEVERAL
from handnet.images.hand.quality_rule import NOT_ONE
from handnet.images.photo_store import build_hand_decoder
from handnet.images.seen_hand import UNREADABLE, UNUSABLE
from handnet.serving.client.calls import SEEN_OUTPUTS
from tests.exported import CALIBRATION, Exported
from tests.hand_models import find_hand_models, write_hand


def run(signature: Any, **inputs: tf.Tensor) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in signature(**inputs).items()}


@pytest.mark.slow
def test_hands_are_found_on_any_background_and_described(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))
    image = replace(exported.image, crop="hand-canonical", hand_finder="landmarks")
    write_archive(exported.encoder, image, CALIBRATION, tmp_path / "model")
    # It runs without them.
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(tmp_path))
    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    # As they were written: to optimise each signature takes longer than to run it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    request.addfinalizer(lambda: tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False}))
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
    Image.fromarray(pixels[: pixels.shape[0] // 2]).save(tmp_path / "cut.png")
    one, two, cut = contents[0], (tmp_path / "two.png").read_bytes(), (tmp_path / "cut.png").read_bytes()
    whole = run(signatures["embed"], photos=tf.constant([two, cut]))
    assert whole["finding"].tolist() == [b"several hands", b"a hand cut off by the border"]
    assert whole["ok"].all()
    pairs = [(one, one), (one, two), (cut, one), (contents[1], two)]
    first, second = (tf.constant([pair[k] for pair in pairs]) for k in range(2))
    answer = run(signatures["verify"], first=first, second=second)
    several = NOT_ONE[SEVERAL].encode()
    assert answer["first_problem"].tolist() == [b"", b"", UNREADABLE.encode(), UNUSABLE.encode()]
    assert answer["second_problem"].tolist() == [b"", several, b"", several]
    assert answer["ok"].tolist() == answer["decision"].tolist() == [True, False, False, False]
    np.testing.assert_allclose(answer["similarity"], [1.0, 0.0, 0.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(answer["probability"], [1 / (1 + np.exp(-5)), 0.0, 0.0, 0.0], atol=1e-4)
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


@pytest.mark.parametrize(("finding", "quality"), [(b"several hands", 1.0), (b"one hand", 0.0)])
def test_the_check_of_an_export_knows_which_photos_have_no_answer(
    finding: bytes, quality: float, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the photos with vectors the second shows several hands or too little of one.
    findings, qualities = [b"one hand", b"no hand", finding, b"one hand"], [1.0, 0.0, quality, 1.0]
    vectors = np.array([[1, 0], [0, 0], [0.6, 0.8], [0.8, 0.6]], np.float32)
    ok, answered = np.array([True, False, True, True]), np.array([True, False, False, True])

    def answer(rows: slice | list[int], verified: np.ndarray) -> dict[str, tf.Tensor]:
        fit = verified[rows]
        similarity = tf.constant(np.where(fit, vectors[rows] @ vectors[0], 0.0), tf.float32)
        return {**decide_pairs(similarity, tf.constant(fit), CALIBRATION), "ok": tf.constant(fit)}

    def embed(photos: tf.Tensor) -> dict[str, tf.Tensor]:
        all_facts = {"embeddings": vectors, "ok": ok, "finding": findings, "quality": qualities}
        return {name: tf.constant(fact[: len(photos)]) for name, fact in all_facts.items()}

    turn = itertools.cycle([0, 2, 3])
    signatures = {
        "embed": embed,
        "serving_default": embed,
        "embed_pixels": lambda images: {"embeddings": tf.constant(vectors[[next(turn)]])},
        "verify": lambda first, second: answer(slice(len(first)), verified),
        "verify_pixels": lambda first, second: answer([next(turn)], answered),
    }
    monkeypatch.setattr(tf.saved_model, "load", lambda folder: SimpleNamespace(signatures=signatures))
    paths, image = [str(photos[name]) for name in ("jpeg", "png", "bmp")], ImageConfig(size_px=32)
    expected = Reference(np.zeros((3, 32, 32, 3), np.uint8), vectors[ok])
    verified = answered
    assert compare_archive(Path(), paths, lambda: expected, image, CALIBRATION) < 1e-6
    # One that compares them all the same is not what was promised.
    verified = ok
    assert compare_archive(Path(), paths, lambda: expected, image, CALIBRATION) == np.inf
