"""From photos or features to unit vectors: what the loop over batches is most often given."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.settings import Config
from handnet.console import Progress, hide_progress
from handnet.data.example import Example
from handnet.embedding.features import compute_features
from handnet.embedding.loop import embed
from handnet.embedding.predict import build_predict
from handnet.embedding.run_vectors import PhotoVectors
from handnet.images.photo_store import prepare_photos, read_photos
from handnet.metrics.embedded import EmbeddedPart, label_embeddings
from handnet.networks.encoder import Encoder

Floats = npt.NDArray[np.float32]
_PHOTOS_AT_ONCE = 32
_PIXELS_AT_ONCE = 1_000_000
# Features at a time: a head is small.
_ROWS_AT_ONCE = 1024


def embed_batches(model: keras.Model, batches: Iterable[Any]) -> Floats:
    """Return the vectors (N, D) of batches of pixels or features by an encoder, or its head."""
    return embed(build_predict(model), batches, model.output_shape[-1])


def embed_features(head: keras.Model, features: Floats) -> Floats:
    """Return the unit vectors (N, D) of features (N, F), by the head of an encoder."""
    return _call_as_it_is(head, features, _ROWS_AT_ONCE)


def embed_once(encoder: keras.Model, images: npt.NDArray[np.uint8]) -> Floats:
    """Return the vectors (N, D) of a few photos (N, S, S, 3) by a network that embeds no more afterwards."""
    # Operation by operation nothing is freed early: large photos would take gigabytes.
    fitting = _PIXELS_AT_ONCE // (images.shape[1] * images.shape[2])
    return _call_as_it_is(encoder, images, max(1, min(_PHOTOS_AT_ONCE, fitting)))


def _call_as_it_is(model: keras.Model, rows: npt.NDArray[Any], at_once: int) -> Floats:
    """Return what a model makes of rows, its operations run one by one.

    A graph for each model and number of rows, used once, costs more than it saves.
    """
    run = partial(model, training=False)
    batches = (rows[begin : begin + at_once] for begin in range(0, len(rows), at_once))
    return embed(run, batches, model.output_shape[-1])


def embed_files(encoder: keras.Model, files: Sequence[str], progress: Progress = hide_progress) -> Floats:
    """Embed cached photos in order.

    Args:
        encoder: image (B, S, S, 3) → (B, D).
        files: cached photos from `prepare_photos`, decoded at the encoder's size.
        progress: told of (photos done, photos in all).

    Returns:
        float32 (N, D), rows of unit length.
    """
    photos = read_photos(files, encoder.input_shape[1], _PHOTOS_AT_ONCE)
    count = progress("embed photos")
    return embed(build_predict(encoder), photos, encoder.output_shape[-1], len(files), count)


def compute_vectors(
    config: Config, encoder: Encoder, paths: Sequence[str], progress: Progress = hide_progress
) -> PhotoVectors:
    """Return what the classifier and the distance take of photos; the backbone's features come from the cache if known.

    Args:
        config: `image`, `model` and `pairs.features`.
        encoder: the run's.
        paths: N photos.
        progress: told of (pictures done, pictures in all).

    Raises:
        DataError: photos that cannot be decoded.
    """
    photos = prepare_photos(paths, config.image)
    features = compute_features(
        encoder.backbone, photos, config.image, config.model, progress=progress, engine=config.features.engine
    )
    embeddings = embed_features(encoder.head, features)
    return PhotoVectors(features if config.pairs.features == "backbone" else embeddings, embeddings)


def embed_part(
    config: Config,
    encoder: Encoder,
    examples: Sequence[Example],
    progress: Progress = hide_progress,
    name: str = "",
) -> EmbeddedPart:
    """Embed the photos of a part with a trained encoder; the backbone's features come from the cache if known.

    Args:
        config: the run's settings.
        encoder: the run's.
        examples: the photos.
        progress: told of (pictures done, pictures in all).
        name: what the part is called.

    Raises:
        DataError: photos that cannot be decoded.
        EvaluationError: embeddings that are not finite unit vectors.
    """
    vectors = compute_vectors(config, encoder, [example.path for example in examples], progress)
    return label_embeddings(vectors.embeddings, examples, name)
