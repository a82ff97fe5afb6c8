"""Photos to unit vectors with a trained encoder."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.settings import ImageConfig
from handnet.data.example import Example
from handnet.images.store import prepare_photos, read_photos
from handnet.metrics.embedded import EmbeddedPart, label_embeddings


def embed_files(
    encoder: keras.Model,
    files: Sequence[str],
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Embed cached photos in order.

    Args:
        encoder: image (B, S, S, 3) → (B, D).
        files: cached photos from `prepare_photos`, decoded at the encoder's size.
        batch_size: photos at a time.
        progress: called with (photos done, photos in all).

    Returns:
        float32 (N, D), rows of unit length.
    """
    size_px, rows = encoder.input_shape[1], []
    done = 0
    for images in read_photos(files, size_px, batch_size):
        rows.append(np.asarray(keras.ops.convert_to_numpy(encoder.predict_on_batch(images)), dtype=np.float32))
        done += len(rows[-1])
        if progress is not None:
            progress(done, len(files))
    return np.concatenate(rows) if rows else np.zeros((0, encoder.output_shape[-1]), np.float32)


def embed_part(
    encoder: keras.Model,
    examples: Sequence[Example],
    config: ImageConfig,
    progress: Callable[[int, int], None] | None = None,
    name: str = "",
) -> EmbeddedPart:
    """Embed the photos of a part with a trained encoder.

    Args:
        encoder: a Keras model, image (B, S, S, 3) → (B, D).
        examples: the photos.
        config: how they are decoded.
        progress: called with (photos done, photos in all).
        name: what the part is called.

    Raises:
        DataError: photos that cannot be decoded.
        EvaluationError: embeddings that are not finite unit vectors.
    """
    files = prepare_photos([example.path for example in examples], config).files
    return label_embeddings(embed_files(encoder, files, progress=progress), examples, name)
