"""From photos or features to unit vectors."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import handnet.embedding.features
from handnet.config.settings import Config
from handnet.data.example import Example
from handnet.embedding.encode import embed_features, embed_files, embed_once, embed_part
from handnet.errors import DataError
from handnet.images.photo_store import load_cached, prepare_photos
from handnet.networks.encoder import Encoder


@pytest.mark.slow
def test_photos_and_parts_have_the_vectors_of_the_encoder_in_order(
    config: Config, whole_encoder: Encoder, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = whole_encoder.model
    files = prepare_photos(photos, config.image).files
    pixels = load_cached(files, config.image.size_px)
    expected = np.asarray(encoder.predict_on_batch(pixels))
    np.testing.assert_allclose(embed_files(encoder, files), expected, atol=1e-6)
    examples = [Example(path, f"p{k // 2}", ("dorsal", "palmar")[k % 2]) for k, path in enumerate(photos)]
    part = embed_part(config, whole_encoder, examples, name="val")
    assert (part.name, list(part.paths)) == ("val", photos)
    np.testing.assert_allclose(part.embeddings, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(part.embeddings, axis=1), 1.0, atol=1e-5)
    # The second time no backbone is run.
    monkeypatch.setattr(handnet.embedding.features, "build_engine", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(embed_part(config, whole_encoder, examples).embeddings, part.embeddings)


def test_a_part_with_a_bad_photo_is_an_error(
    config: Config, whole_encoder: Encoder, photos: list[str], tmp_path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"none")
    with pytest.raises(DataError, match="1 of 2 photos cannot be used"):
        embed_part(config, whole_encoder, [Example(photos[0], "a"), Example(str(bad), "b")])


def test_many_features_go_through_a_head_in_order() -> None:
    head = keras.Sequential([keras.Input((3,)), keras.layers.UnitNormalization(dtype="float32")])
    features = np.random.default_rng(0).normal(size=(2100, 3)).astype(np.float32)
    vectors = embed_features(head, features)
    np.testing.assert_allclose(vectors, features / np.linalg.norm(features, axis=1, keepdims=True), atol=1e-6)
    assert embed_features(head, features[:0]).shape == (0, 3)


def test_photos_embedded_once_have_the_vectors_of_a_graph_and_no_graph_is_traced() -> None:
    inputs = keras.Input((4, 4, 3))
    encoder = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs / 255.0)))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), np.uint8)
    vectors = embed_once(encoder, pixels)
    assert encoder.predict_function is None
    np.testing.assert_allclose(vectors, encoder.predict_on_batch(pixels), atol=1e-5)


def test_the_heads_of_many_folds_are_not_traced_one_after_another() -> None:
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Keep()
    tf.get_logger().addHandler(handler)
    try:
        for rows in range(1, 8):
            inputs = keras.Input((3,))
            vectors = embed_features(keras.Model(inputs, keras.layers.Dense(2)(inputs)), np.ones((rows, 3), np.float32))
            assert vectors.shape == (rows, 2)
    finally:
        tf.get_logger().removeHandler(handler)
    assert not [line for line in lines if "retracing" in line]


def test_large_photos_are_embedded_a_few_at_a_time() -> None:
    """The whole of them would take gigabytes."""
    counts: list[int] = []

    class Encoder:
        output_shape = (None, 3)

        def __call__(self, pixels: np.ndarray, training: bool) -> np.ndarray:
            assert not training
            counts.append(len(pixels))
            return np.full((len(pixels), 3), 3**-0.5, np.float32)

    for size_px, expected in ((500, [4, 4, 1]), (2000, [1] * 9), (8, [9])):
        counts.clear()
        assert embed_once(Encoder(), np.zeros((9, size_px, size_px, 3), np.uint8)).shape == (9, 3)
        assert counts == expected
