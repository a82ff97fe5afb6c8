"""The signatures of the SavedModel, as graph functions of core TensorFlow operations."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config import ImageConfig
from handnet.evaluation.calibration import Calibration, compute_probability
from handnet.export.guard import load_photos
from handnet.images import fit_photo, read_photo

Function = tf.types.experimental.PolymorphicFunction

DEFAULT = "serving_default"
# Photos that are compared pixel for pixel: each has a size of its own and goes alone.
_NUM_WHOLE = 4


def build_signatures(encoder: keras.Model, image: ImageConfig, calibration: Calibration | None) -> dict[str, Function]:
    """Build the graph functions by the names of the signatures; each takes any batch size, zero included.

    - `embed`, also by the name `serving_default`: `photos`, the bytes of JPEG, PNG, GIF or BMP files (B,) → `embeddings`,
      float32 (B, D) of unit length, and `ok`, bool (B,): false, with a row of zeros, where a photo cannot be decoded.
    - `embed_pixels`: `images`, uint8 (B, H, W, 3) of whole upright photos of one size → `embeddings`.
    - `verify`, where there is a calibration: `first` and `second`, the bytes of photos (B,) → `similarity`, `probability`
      (0..1, at prior 0.5), `decision` (similarity at or above the threshold of equal errors) and `ok`, all (B,).

    Args:
        encoder: float32 image (B, S, S, 3) → (B, D).
        image: how photos were decoded in training.
        calibration: from similarity to probability, or None.
    """

    photos_spec = tf.TensorSpec((None,), tf.string, name="photos")
    images_spec = tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")
    pair_spec = [tf.TensorSpec((None,), tf.string, name=name) for name in ("first", "second")]

    @partial(tf.function, input_signature=[photos_spec], autograph=False)
    def embed(photos: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels, ok = load_photos(photos, image)
        embeddings = encode(encoder, pixels)
        return {"embeddings": tf.where(ok[:, None], embeddings, 0.0), "ok": ok}

    @partial(tf.function, input_signature=[images_spec], autograph=False)
    def embed_pixels(images: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = tf.TensorSpec((image.size_px, image.size_px, 3), tf.uint8)
        squares = tf.map_fn(lambda photo: fit_photo(photo, image), images, fn_output_signature=spec)
        return {"embeddings": encode(encoder, squares)}

    @partial(tf.function, input_signature=pair_spec, autograph=False)
    def verify(first: tf.Tensor, second: tf.Tensor) -> dict[str, tf.Tensor]:
        same_size = tf.debugging.assert_equal(
            tf.shape(first), tf.shape(second), "`first` and `second` must hold as many photos."
        )
        with tf.control_dependencies([same_size] if same_size is not None else []):
            both = embed(tf.concat([first, second], axis=0))
        one, two = tf.split(both["embeddings"], 2)
        ok = tf.reduce_all(tf.reshape(both["ok"], (2, -1)), axis=0)
        return {**judge_similarity(tf.reduce_sum(one * two, axis=1), ok, calibration), "ok": ok}

    signatures = {
        # One function by two names: its graph is stored once.
        DEFAULT: embed,
        "embed": embed,
        "embed_pixels": embed_pixels,
    }
    return signatures if calibration is None else {**signatures, "verify": verify}


def encode(encoder: keras.Model, pixels: tf.Tensor) -> tf.Tensor:
    """Embed uint8 (B, S, S, 3), B = 0 included, on which TensorFlow's convolutions for the CPU fail."""
    count = tf.shape(pixels)[0]
    added = tf.cast(tf.equal(count, 0), tf.int32)
    return encoder(tf.pad(pixels, [[0, added], [0, 0], [0, 0], [0, 0]]), training=False)[:count]


def judge_similarity(similarity: tf.Tensor, ok: tf.Tensor, calibration: Calibration) -> dict[str, tf.Tensor]:
    """Turn similarities into probabilities and decisions; a pair with a photo that failed is never accepted.

    Args:
        similarity: float32 (B,), cosine.
        ok: bool (B,), both photos could be decoded.
        calibration: its logistic curve and its threshold of equal errors are used.
    """
    # In float64: a steep curve would magnify float32's rounding.
    ratio = calibration.slope * tf.cast(similarity, tf.float64) + calibration.intercept
    probability = tf.cast(tf.sigmoid(ratio), tf.float32)
    return {
        "similarity": similarity,
        "probability": tf.where(ok, probability, 0.0),
        "decision": ok & (similarity >= calibration.equal_error_threshold),
    }


def write_archive(encoder: keras.Model, image: ImageConfig, calibration: Calibration | None, folder: Path) -> list[str]:
    """Write the SavedModel and return the names of its signatures."""
    archive = keras.export.ExportArchive()
    archive.track(encoder)
    signatures = build_signatures(encoder, image, calibration)
    for name, function in signatures.items():
        function.get_concrete_function()
        archive.add_endpoint(name, function)
    archive.write_out(str(folder), verbose=False)
    return list(signatures)


def compare_archive(
    folder: Path,
    paths: Sequence[str],
    expected: npt.NDArray[np.float32],
    image: ImageConfig,
    calibration: Calibration | None,
) -> float:
    """Run every signature of a written SavedModel on photos and return the largest difference from what is expected.

    Args:
        folder: the SavedModel.
        paths: one photo or more.
        expected: float32 (N, D), the encoder's vectors of these photos.
        image: how photos were decoded in training.
        calibration: what `verify` was built with.

    Returns:
        The largest absolute difference of vectors, similarities and probabilities; infinity where a flag or a decision is
        not the right one, or where a damaged photo among the others is not flagged or moves its neighbours.
    """
    signatures = tf.saved_model.load(str(folder)).signatures
    # A photo cut off in the middle stands between good ones.
    contents = [Path(path).read_bytes() for path in paths]
    whole = contents[:_NUM_WHOLE]
    contents.insert(1, contents[0][: len(contents[0]) // 2])
    ok = np.arange(len(contents)) != 1
    vectors = np.insert(expected, 1, 0.0, axis=0)
    differences = []
    for name in (DEFAULT, "embed"):
        received = _run(signatures[name], photos=tf.constant(contents))
        differences += [_differ(received["embeddings"], vectors), _differ_flags(received["ok"], ok)]
    for photo, vector in zip(whole, expected, strict=False):
        pixels = read_photo(tf.constant(photo), image)
        received = _run(signatures["embed_pixels"], images=pixels[None])
        differences.append(_differ(received["embeddings"], vector[None]))
    if calibration is not None:
        # Each against the first, which is also the pair of a photo with itself.
        others = tf.constant(contents[:1] * len(contents))
        received = _run(signatures["verify"], first=tf.constant(contents), second=others)
        differences += [_differ(received["similarity"], vectors @ vectors[0]), _differ_flags(received["ok"], ok)]
        # From the model's own similarities, so that a steep curve does not magnify their rounding.
        probability = compute_probability(calibration, received["similarity"])
        decision = received["similarity"] >= np.float32(calibration.equal_error_threshold)
        differences += [
            _differ(received["probability"], np.where(ok, probability, 0.0)),
            _differ_flags(received["decision"], ok & decision),
        ]
    return float(np.max(differences))


def _run(signature: Callable[..., Mapping[str, tf.Tensor]], **inputs: tf.Tensor) -> dict[str, npt.NDArray[np.generic]]:
    return {name: value.numpy() for name, value in signature(**inputs).items()}


def _differ(received: npt.NDArray[np.generic], expected: npt.NDArray[np.floating]) -> float:
    # NaN compares as different.
    difference = float(np.max(np.abs(received - expected), initial=0.0))
    return difference if np.isfinite(difference) else np.inf


def _differ_flags(received: npt.NDArray[np.generic], expected: npt.NDArray[np.bool_]) -> float:
    return 0.0 if np.array_equal(received, expected) else np.inf
