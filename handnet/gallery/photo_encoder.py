"""What a gallery asks of a model: photos in, unit vectors out, with a verdict on each photo."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from handnet.data.checks import read_photo
from handnet.errors import DataError
from handnet.gallery.records import UNKNOWN, HandKind, Vector

Pixels = npt.NDArray[np.uint8]
PhotoInput = Path | str | bytes | Pixels


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a model says of one photo.

    Attributes:
        vector: float32 (D,), unit norm; None where the photo cannot be used.
        reason: why it cannot be used, or "".
        kind: view and side as the hand front end sees them, "" where it does not know.
        quality: 0..1, how far the photo can be relied on: its weight in a template.
        remarks: what is wrong with a photo that can be used, e.g. "blurred".
        evidence: what the vector was computed from: "hand" or "whole photo".
    """

    vector: Vector | None = field(repr=False)
    reason: str = ""
    kind: HandKind = UNKNOWN
    quality: float = 1.0
    remarks: tuple[str, ...] = ()
    evidence: str = "whole photo"


class PhotoEncoder(Protocol):
    """A model that makes vectors of photos."""

    @property
    def digest(self) -> str:
        """Equal for equal models only: 32 hexadecimal digits."""

    @property
    def width(self) -> int:
        """Numbers in a vector, D."""

    @property
    def source(self) -> dict[str, str]:
        """Where the model can be loaded from again: {"kind": …, "path": …}."""

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos: files, bytes of files, or uint8 arrays (H, W, 3), upright RGB.

        Returns:
            One for each photo, in order; a photo that cannot be used has a reason and no vector.
        """


def read_contents(photo: PhotoInput) -> bytes:
    """Return the bytes by which a photo is recognised again: those of its file, or an array's shape and pixels.

    Raises:
        DataError: a file that cannot be read.
    """
    if isinstance(photo, bytes):
        return photo
    if isinstance(photo, np.ndarray):
        return repr(photo.shape).encode() + photo.tobytes()
    contents, reason = read_photo(str(photo))
    if reason:
        raise DataError(f"Cannot read the photo {str(photo)!r}: {reason}.")
    return contents


def name_photo(photo: PhotoInput, number: int) -> str:
    """Return what to call a photo in a message.

    Args:
        photo: file, bytes or array.
        number: its place in the list, from 1.
    """
    return str(photo) if isinstance(photo, Path | str) else f"photo {number}"


def digest_model(parts: Sequence[bytes]) -> str:
    """Return the digest of what makes a model: 32 hexadecimal digits.

    Args:
        parts: e.g. its weights and how photos are prepared for it.
    """
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
