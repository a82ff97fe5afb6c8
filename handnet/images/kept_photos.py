"""Photos that the store has decoded before, read from the cache without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handnet.config.image import ImageConfig
from handnet.data.cache import digest_bytes, find_photo_folder, mark_used, use_folder
from handnet.data.checks import read_photo
from handnet.images.pixel_rules import describe_rules


def find_kept_files(paths: Sequence[str], config: ImageConfig) -> list[str] | None:
    """Return the cached file of each photo, as `handnet.images.photo_store.prepare_photos` does; None unless all are there.

    Args:
        paths: the photos.
        config: how they are decoded.
    """
    folder = find_photo_folder(describe_rules(config))
    use_folder(folder)
    files = []
    for path in paths:
        contents, problem = read_photo(path)
        file = place_photo(folder, digest_bytes(contents))
        if problem or not is_kept(file, config):
            return None
        files.append(file)
    mark_used(files)
    return [str(file) for file in files]


def place_photo(folder: Path, digest: str) -> Path:
    """Return the file of a photo in the folder of its settings, by the digest of its bytes."""
    return folder / digest[:2] / digest


def is_kept(file: Path, config: ImageConfig) -> bool:
    """Return whether the file of a photo is there, and whole."""
    # A power cut can leave a file that was renamed and never filled.
    return file.exists() and file.stat().st_size == 3 * config.size_px**2


def read_squares(files: Sequence[str], size_px: int) -> npt.NDArray[np.uint8]:
    """Return cached photos as one array, uint8 (N, S, S, 3)."""
    return np.stack([np.fromfile(file, dtype=np.uint8).reshape(size_px, size_px, 3) for file in files])
