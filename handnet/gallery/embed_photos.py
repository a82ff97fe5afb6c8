"""How photos become vectors and verdicts, whatever model computes them: what is looked at first, and who sees which photo."""

from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from handnet.errors import DataError
from handnet.gallery.hand_look import Look
from handnet.gallery.photo_encoder import Embedded, PhotoInput, read_contents
from handnet.gallery.photo_quality import Seen

Vectors = npt.NDArray[np.float32]
_BATCH = 32


def embed_all(
    photos: Sequence[PhotoInput], look: Look, embed: Callable[[Sequence[bytes]], tuple[Vectors, list[str]]]
) -> list[Embedded]:
    """Embed photos; see `handnet.gallery.photo_encoder.PhotoEncoder`.

    Args:
        photos: files, bytes of files, or uint8 arrays (H, W, 3), upright RGB.
        look: rates photos: quality, and view and side where it knows them.
        embed: bytes of N photos → float32 (N, D), and N times "" or why there is no vector.
    """
    results: list[Embedded] = []
    for start in range(0, len(photos), _BATCH):
        contents, problems = [], []
        for photo in photos[start : start + _BATCH]:
            try:
                contents.append(to_file(photo))
                problems.append("")
            except DataError as error:
                contents.append(b"")
                problems.append(str(error))
        looked = iter(look([raw for raw, problem in zip(contents, problems, strict=True) if not problem]))
        seen = [Seen(reason=problem) if problem else next(looked) for problem in problems]
        # The decoder never sees the bytes of what must not be used.
        rows = [row for row, verdict in enumerate(seen) if not verdict.reason]
        vectors, reasons = embed([contents[row] for row in rows]) if rows else (np.zeros((0, 0), np.float32), [])
        found = dict(zip(rows, zip(vectors, reasons, strict=True), strict=True))
        for row, verdict in enumerate(seen):
            vector, reason = found.get(row, (None, verdict.reason))
            usable = vector if not reason else None
            results.append(Embedded(usable, reason, verdict.kind, verdict.quality, verdict.remarks))
    return results


def to_file(photo: PhotoInput) -> bytes:
    """Return the bytes of a photo's file; an array becomes a PNG, which loses nothing."""
    if not isinstance(photo, np.ndarray):
        return read_contents(photo)
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
        raise DataError(f"An array of a photo must be uint8 (H, W, 3). Received: {photo.dtype} {photo.shape}.")
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    return buffer.getvalue()
