"""How far a photo can be relied on, from its pixels alone: is it sharp, and is there any contrast?"""

from io import BytesIO
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from handnet.data.checks import find_header_problem
from handnet.gallery.records import UNKNOWN, HandKind

# Photos are compared at one size, since every photo is sharp if it is made small enough.
SIZE_PX = 256
_WINDOW_PX = 9
# Of 60 photos of 11k Hands at this size blur was 0.26 to 0.43, and 0.63 to 0.80 with a Gaussian blur of σ = 2 px.
SHARP, BLURRED = 0.5, 0.75
# Between the 2nd and the 98th percentile of grey, 0..255.
_FULL_RANGE = 64.0

Grey = npt.NDArray[np.float32]


class Seen(NamedTuple):
    """What is seen in a photo before any model looks at it.

    Attributes:
        kind: view and side, "" where not known.
        quality: 0..1.
        remarks: what is wrong with it.
        reason: why it must not be used at all, or "".
    """

    kind: HandKind = UNKNOWN
    quality: float = 1.0
    remarks: tuple[str, ...] = ()
    reason: str = ""


def look_at_photo(contents: bytes) -> Seen:
    """Rate a photo by its sharpness and contrast. It does not know view and side: a hand front end would.

    Args:
        contents: the bytes of its file.
    """
    if problem := find_header_problem(contents):
        return Seen(reason=problem)
    try:
        with Image.open(BytesIO(contents)) as opened:
            # A large JPEG is decoded at an eighth.
            opened.draft("L", (SIZE_PX, SIZE_PX))
            picture = opened.convert("L")
        picture.thumbnail((SIZE_PX, SIZE_PX))
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError):
        return Seen(reason="damaged or truncated: it cannot be decoded whole")
    grey = np.asarray(picture, dtype=np.float32)
    blur = measure_blur(grey)
    low, high = np.quantile(grey, [0.02, 0.98])
    sharpness = float(np.clip((BLURRED - blur) / (BLURRED - SHARP), 0, 1))
    contrast = float(np.clip((high - low) / _FULL_RANGE, 0, 1))
    named = (("blurred", sharpness), ("low contrast", contrast))
    return Seen(quality=sharpness * contrast, remarks=tuple(name for name, value in named if value < 0.5))


def measure_blur(grey: Grey) -> float:
    """Return how blurred a picture is: how little of its changes from pixel to pixel another blur takes away.

    Args:
        grey: float32 (H, W); smaller than the window of 9 pixels: 1 is returned.

    Returns:
        0 (sharp) .. 1 (blurred, or of one colour), of the direction that is blurred most.

    Reference:
        Crete et al., The Blur Effect: Perception and Estimation with a New No-Reference Perceptual Blur Metric, SPIE 2007.
    """
    if min(grey.shape) <= _WINDOW_PX:
        return 1.0
    return max(_measure_along(grey), _measure_along(grey.T))


def _measure_along(grey: Grey) -> float:
    """Measure along the columns."""
    sums = np.cumsum(np.pad(grey.astype(np.float64), ((1, 0), (0, 0))), axis=0)
    blurred = (sums[_WINDOW_PX:] - sums[:-_WINDOW_PX]) / _WINDOW_PX
    middle = grey[_WINDOW_PX // 2 : _WINDOW_PX // 2 + len(blurred)]
    before, after = np.abs(np.diff(middle, axis=0)), np.abs(np.diff(blurred, axis=0))
    total = float(before.sum())
    return 1.0 - float(np.maximum(before - after, 0).sum()) / total if total > 0 else 1.0
