"""An encoder written in a format and compared with the encoder itself on photos."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from handnet.config.image import ImageConfig
from handnet.errors import RunError
from handnet.export.compare_archive import Reference, compare_archive
from handnet.export.signatures import PairHead, write_archive
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.encoder import Encoder, merge_encoder
from handnet.networks.formats import FORMATS, explain_conversion, quiet, write_network


def write_format(
    name: str,
    encoder: Encoder,
    image: ImageConfig,
    calibration: Calibration | None,
    folder: Path,
    head: PairHead | None = None,
) -> list[str]:
    """Write the encoder in a format and return the names of its signatures, of which only a SavedModel has any.

    Raises:
        RunError: the encoder has operations that the format's converter does not know.
    """
    if FORMATS[name].load is None:
        # What is written is checked against the encoder as it was trained, so the check covers the merge.
        return write_archive(merge_encoder(encoder), image, calibration, folder, head)
    write_network(name, encoder.model, image.size_px, folder)
    return []


def compare_format(
    name: str,
    folder: Path,
    paths: Sequence[str],
    compute: Callable[[], Reference],
    image: ImageConfig,
    calibration: Calibration | None,
) -> float:
    """Run a written model on photos and return the largest absolute difference from the encoder's vectors.

    Args:
        name: the format.
        folder: the written model.
        paths: the photos.
        compute: the same N photos as training decodes them, and what the encoder makes of them; called once, in any thread.
        image: how photos were decoded in training.
        calibration: of the SavedModel's `verify`.

    Raises:
        RunError: the format's runtime cannot run it.
    """
    load = FORMATS[name].load
    if load is None:
        return compare_archive(folder, paths, compute, image, calibration)
    images, expected, _ = compute()
    try:
        with quiet():
            embed = load(folder / FORMATS[name].file)
        # Another batch size than the rest's shows that the batch is free.
        received = np.concatenate([embed(part.astype(np.float32)) for part in (images[:1], images[1:]) if len(part)])
    # A runtime raises its own errors, e.g. for an operation that it does not know.
    except Exception as error:
        raise RunError(explain_conversion(name, error)) from error
    difference = float(np.max(np.abs(received - expected), initial=0.0))
    return difference if np.isfinite(difference) else np.inf
