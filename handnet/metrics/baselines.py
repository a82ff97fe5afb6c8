"""Two baselines without learning: what raw pixels and the colour of the skin alone can do."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from handnet.errors import EvaluationError
from handnet.metrics.embedding_checks import normalize_rows

Images = npt.NDArray[np.uint8]
_COLOUR_BINS = 8


def embed_raw_pixels(images: Images, size_px: int = 24) -> npt.NDArray[np.float32]:
    """Embed photos as their own shrunken pixels, the mean photo taken off so that what they share does not count.

    Args:
        images: uint8 (N, H, W, 3), N at least 2.
        size_px: side to which they are shrunk.

    Returns:
        float32 (N, size_px · size_px · 3), rows of unit length.

    Raises:
        EvaluationError: wrong shape or type, or photos that are all the same.
    """
    _check_images(images)
    small = [np.asarray(Image.fromarray(image).resize((size_px, size_px), Image.Resampling.BOX)) for image in images]
    vectors = np.stack(small).reshape(len(images), -1).astype(np.float32)
    return normalize_rows(vectors - vectors.mean(axis=0))


def embed_skin_colour(images: Images, masks: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float32]:
    """Embed photos as the histogram of the chromaticity of their hand: no shape, no texture, no brightness.

    Two such vectors have as their cosine the Bhattacharyya coefficient of the histograms.

    Args:
        images: uint8 (N, H, W, 3).
        masks: bool (N, H, W), true on the hand; without it, pixels that look like skin on a plain background.

    Returns:
        float32 (N, 64), rows of unit length.

    Raises:
        EvaluationError: wrong shape or type.
    """
    _check_images(images)
    if masks is not None and masks.shape != images.shape[:3]:
        raise EvaluationError(f"`masks` must have the shape {images.shape[:3]}. Received: {masks.shape}.")
    masks = np.stack([_find_skin(image) for image in images]) if masks is None else masks
    return np.stack([_describe_colour(image, mask) for image, mask in zip(images, masks, strict=True)])


def _describe_colour(image: Images, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    # Without a single pixel of skin the whole photo is as good a guess as any.
    pixels = image[mask].astype(np.float32) if mask.any() else image.reshape(-1, 3).astype(np.float32)
    red, green, blue = pixels.T + 1.0
    chroma = np.stack([np.log(red / green), np.log(green / blue)], axis=1)
    low, high = np.array([-0.1, -0.3]), np.array([0.9, 0.9])
    bins = np.clip((chroma - low) / (high - low) * _COLOUR_BINS, 0, _COLOUR_BINS - 1).astype(np.int64)
    histogram = np.bincount(bins[:, 0] * _COLOUR_BINS + bins[:, 1], minlength=_COLOUR_BINS**2)
    return np.asarray(np.sqrt(histogram / histogram.sum()), dtype=np.float32)


def _find_skin(image: Images) -> npt.NDArray[np.bool_]:
    red, green, blue = image.astype(np.int32).transpose(2, 0, 1)
    return np.asarray((red > green) & (red > blue + 15) & (red > 60))


def _check_images(images: Images) -> None:
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or len(images) < 2:
        raise EvaluationError(
            "Baselines need two or more decoded photos, uint8 (N, H, W, 3). "
            f"Received: {images.dtype} of shape {images.shape}."
        )
