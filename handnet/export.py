"""The SavedModel: photo bytes in, unit vectors out, with the decoding inside the graph."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from handnet.config import ImageConfig
from handnet.embedding import embed_files
from handnet.errors import DiskError, RunError
from handnet.images import load_photo
from handnet.pipeline import prepare_photos

MAX_ERROR = 1e-5


class Export(NamedTuple):
    """A written SavedModel.

    Attributes:
        folder: NAME/VERSION.
        num_checked: photos whose vectors were compared with the encoder's.
        max_error: the largest absolute difference found.
    """

    folder: Path
    num_checked: int
    max_error: float


def export_encoder(encoder: keras.Model, image: ImageConfig, folder: Path, check_paths: Sequence[str]) -> Export:
    """Write the encoder as a SavedModel at the next version number under `folder`, checked on photos before it appears.

    The signature `serving_default` takes `photos`, the bytes of a batch of JPEG, PNG, GIF or BMP files, and returns
    `embeddings`, float32 (B, D) of unit length.

    Args:
        encoder: float32 image (B, S, S, 3) → (B, D).
        image: how photos were decoded in training.
        folder: the model's folder, as saved_models/NAME; TF Serving's layout.
        check_paths: photos on which the written model must give the encoder's vectors.

    Raises:
        DiskError: the folder cannot be written.
        RunError: the vectors differ by more than 1e-5; nothing is left in `folder`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=".part-"))
    except OSError as error:
        raise DiskError(f"Cannot write {str(folder)!r}: {error.strerror}. Give a folder that can be written.") from None
    try:
        _write_archive(encoder, image, temporary / "model")
        max_error = _compare(encoder, image, temporary / "model", check_paths)
        if not max_error <= MAX_ERROR:
            raise RunError(
                f"The exported model differs from the encoder by {max_error:.2g} on {len(check_paths)} photos; at most "
                f"{MAX_ERROR:g} is allowed. Nothing was exported."
            )
        target = folder / str(find_next_version(folder))
        (temporary / "model").rename(target)
    except OSError as error:
        raise DiskError(f"Cannot write {str(folder)!r}: {error}. Is the disk full?") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Export(target, len(check_paths), max_error)


def find_next_version(folder: Path) -> int:
    """Return the number after the highest version under `folder`, from 1."""
    versions = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
    return max(versions, default=0) + 1


def build_embed_function(encoder: keras.Model, image: ImageConfig) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Return the graph function from photo bytes (B,) to {"embeddings": (B, D)}."""

    def embed(photos: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = tf.map_fn(
            lambda contents: load_photo(contents, image),
            photos,
            fn_output_signature=tf.TensorSpec((image.size_px, image.size_px, 3), tf.uint8),
        )
        return {"embeddings": encoder(pixels, training=False)}

    return embed


def _write_archive(encoder: keras.Model, image: ImageConfig, folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(encoder)
    archive.add_endpoint(
        "serving_default",
        build_embed_function(encoder, image),
        input_signature=[tf.TensorSpec((None,), tf.string, name="photos")],
    )
    archive.write_out(str(folder), verbose=False)


def _compare(encoder: keras.Model, image: ImageConfig, folder: Path, paths: Sequence[str]) -> float:
    expected = embed_files(encoder, prepare_photos(paths, image).files)
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    contents = [Path(path).read_bytes() for path in paths]
    received = serve(photos=tf.constant(contents))["embeddings"].numpy()
    return float(np.max(np.abs(expected - received), initial=0.0))
