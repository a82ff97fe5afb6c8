"""How photos become vectors and verdicts, whatever model computes them: what is looked at first, and who sees which photo."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from handnet.errors import DataError
from handnet.gallery.hand_look import Look, look_at_pixels, take_over
from handnet.gallery.photo_encoder import Embedded, PhotoInput, read_contents
from handnet.gallery.photo_quality import Seen
from handnet.images.seen_hand import SeenHand

Vectors = npt.NDArray[np.float32]
_BATCH = 32


class Answers(NamedTuple):
    """What a model says of N photos.

    Attributes:
        vectors: float32 (N, D).
        reasons: "" or why there is no vector.
        hands: what it has seen of the hand in each, where it looks for hands by itself; else empty.
    """

    vectors: Vectors
    reasons: list[str]
    hands: Sequence[SeenHand] = ()


def embed_all(photos: Sequence[PhotoInput], look: Look, embed: Callable[[Sequence[bytes]], Answers]) -> list[Embedded]:
    """Embed photos; see `handnet.gallery.photo_encoder.PhotoEncoder`.

    Args:
        photos: files, bytes of files, or uint8 arrays (H, W, 3), upright RGB.
        look: rates photos: quality, and view and side where it knows them.
        embed: bytes of N photos → what the model says of them.
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
        answers = embed([contents[row] for row in rows]) if rows else Answers(np.zeros((0, 0), np.float32), [])
        found = dict(zip(rows, zip(answers.vectors, answers.reasons, strict=True), strict=True))
        if look is look_at_pixels and answers.hands:
            # Without the models that find hands, what the model itself has seen is all that is known of them.
            for row, hand, reason in zip(rows, answers.hands, answers.reasons, strict=True):
                seen[row] = seen[row] if reason else take_over(seen[row], hand)
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
