"""A fixed description of a hand on a white ground: gradients of outline and luminance by place, and colours by place."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from handnet.networks.backbones.hand.alignment import Floats, blur_rows, cover_hand, gaussian_rows

# All lengths below are pixels of a picture of this side; others are scaled.
REFERENCE_PX = 128
ORIENTATIONS = 8
CELLS = 8
# Colours are ratios to white, raised by this much of 255, so that dark pixels do not count for most.
_DARK = 8.0
# The luminance's logarithm is taken above this.
_DIM = 16.0
# Colour differences are smaller than differences of lightness, and as telling.
_CHROMA_GAIN = 3.0
# Of the three colours.
_GAINS = np.array([1.0, _CHROMA_GAIN, _CHROMA_GAIN], np.float32)
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


class Group(NamedTuple):
    """A group of features.

    Attributes:
        name: what it describes.
        width: how many numbers.
        deviation: root mean square of its distance from the mean over synthetic hands: the group is divided by it.
    """

    name: str
    width: int
    deviation: float


_GRADIENTS = ORIENTATIONS * CELLS**2
GROUPS = (
    Group("luminance, fine", _GRADIENTS, 0.42),
    Group("luminance, coarse", _GRADIENTS, 0.4),
    Group("texture", _GRADIENTS, 0.26),
    Group("outline", _GRADIENTS, 0.54),
    Group("colour layout", 3 * CELLS**2, 1.35),
    Group("skin colour", 3 * CELLS**2, 1.53),
    Group("colour statistics", 24, 1.11),
)
# Fingers, knuckles, palm and thumb of an upright hand: from rows and columns as fractions of the side to what lies inside.
ZONES: tuple[Callable[[Any, Any], Any], ...] = (
    lambda row, column: row < 0.39,
    lambda row, column: (row >= 0.39) & (row < 0.586),
    lambda row, column: row >= 0.586,
    lambda row, column: column < 0.39,
)
# Two thirds of the same of the colours of whole photos (1.8): they weigh half as much again as a group.
PHOTO_DEVIATION = 1.2


@keras.saving.register_keras_serializable("handnet")
class HandDescriptor(keras.layers.Layer):
    """Describes hands on white by the groups of `GROUPS`; it has no weights, float32 under every policy.

    Gradients are counted by orientation (8, unsigned) and place (8 × 8 cells, Gaussian windows), weighted by their length, and
    the root is taken: of the luminance's logarithm on two scales, of the same inside the hand alone, and of the outline.
    Colours, as lightness, red to green and green to blue (logarithms), by cell with the ground as zero, by cell over the hand
    alone, and as mean and deviation of four zones: fingers, knuckles, palm, thumb.

    Args:
        name: layer name.

    Reference:
        Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human Detection"; here with Gaussian windows, without
        normalisation by blocks, and with roots.
    """

    def __init__(self, name: str = "descriptor", **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})

    def call(self, images: Any) -> Any:
        """Return the description, (B, 2,456) float32, of pictures (B, S, S, 3) of 0..255."""
        images = ops.cast(images, "float32")
        unit = images.shape[1] / REFERENCE_PX
        hand = cover_hand(images)
        luminance = ops.log(ops.sum(images * _LUMINANCE, axis=-1) + _DIM)
        inside = _erode(hand, max(1, round(2 * unit)))
        area = ops.sum(inside, axis=(1, 2), keepdims=True) + 1e-3
        mean = ops.sum(luminance * inside, axis=(1, 2), keepdims=True) / area
        filled = luminance * hand + mean * (1.0 - hand)
        colours = _split_colours(images, hand)
        parts = (
            _count_gradients(luminance, unit),
            _count_gradients(luminance, 2.0 * unit),
            _count_gradients(filled, unit, inside),
            _count_gradients(hand, 4.0 * unit),
            _lay_out_colours(colours),
            _average_cells(colours, inside, area),
            _measure_zones(colours, inside),
        )
        return ops.concatenate([part / group.deviation for part, group in zip(parts, GROUPS, strict=True)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, 2456)."""
        return (input_shape[0], sum(group.width for group in GROUPS))


@keras.saving.register_keras_serializable("handnet")
class PhotoColours(keras.layers.Layer):
    """Describes whole photos by their colours on a grid of 8 × 8 cells: light, ground and sleeve as much as the hand.

    Args:
        name: layer name.
    """

    def __init__(self, name: str = "photo_colours", **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})

    def call(self, images: Any) -> Any:
        """Return (B, 192) float32 of pictures (B, S, S, 3) of 0..255."""
        images = ops.cast(images, "float32")
        return _lay_out_colours(_split_colours(images, ops.ones_like(images[..., 0]))) / PHOTO_DEVIATION

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, 192)."""
        return (input_shape[0], 3 * CELLS**2)


def _count_gradients(planes: Any, sigma_px: float, weight: Any = 1.0) -> Any:
    """Return (B, 512): the roots of gradient lengths summed by orientation and cell."""
    size = planes.shape[1]
    blur = blur_rows(size, sigma_px)
    blurred = ops.matmul(ops.matmul(blur, planes), blur.T)
    # The border is repeated.
    padded = ops.pad(blurred, [[0, 0], [1, 1], [1, 1]], mode="symmetric")
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2.0
    right = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2.0
    length = ops.sqrt(ops.square(down) + ops.square(right) + 1e-12)
    # The doubled angle knows no sign; its cosine and sine need no arctangent.
    cosine = (ops.square(right) - ops.square(down)) / ops.square(length)
    sine = 2.0 * right * down / ops.square(length)
    length = length * weight
    pool = gaussian_rows(size, CELLS, size / CELLS / 2.0)
    edge = np.cos(2.0 * np.pi / ORIENTATIONS)
    # All orientations at once, (B, 8, S, S): one by one they are most of the operations of a graph.
    angles = (2.0 * np.pi / ORIENTATIONS * np.arange(ORIENTATIONS)).reshape(-1, 1, 1)
    cosines, sines = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    nearness = ops.relu((cosine[:, None] * cosines + sine[:, None] * sines - edge) / (1.0 - edge))
    counts = ops.matmul(ops.matmul(pool, length[:, None] * nearness), pool.T)
    return ops.sqrt(_flatten(counts, _GRADIENTS) + 1e-9)


def _erode(hand: Any, radius_px: int) -> Any:
    return 1.0 - ops.max_pool(1.0 - hand[..., None], 2 * radius_px + 1, strides=1, padding="same")[..., 0]


def _split_colours(images: Any, hand: Any) -> Any:
    """Return lightness, red to green and green to blue, (B, 3, S, S), zero on the ground."""
    logs = ops.log((images + _DARK) / (255.0 + _DARK)) * hand[..., None]
    red, green, blue = (logs[..., k] for k in range(3))
    return ops.stack([(red + green + blue) / 3.0, _CHROMA_GAIN * (red - green), _CHROMA_GAIN * (green - blue)], axis=1)


def _lay_out_colours(colours: Any) -> Any:
    size = colours.shape[2]
    pool = gaussian_rows(size, CELLS, size / CELLS / 2.0)
    return _flatten(ops.matmul(ops.matmul(pool, colours), pool.T), 3 * CELLS**2)


def _average_cells(colours: Any, inside: Any, area: Any) -> Any:
    """Return each cell's mean colour over the hand alone; cells without hand have that of the whole hand."""
    size, few = inside.shape[1], 0.05
    pool = gaussian_rows(size, CELLS, size / CELLS / 2.0)
    share = ops.matmul(ops.matmul(pool, inside), pool.T)[:, None]
    seen = colours * inside[:, None]
    mean = ops.sum(seen, axis=(2, 3), keepdims=True) / area[:, None]
    summed = ops.matmul(ops.matmul(pool, seen), pool.T)
    return _flatten((summed + few * mean) / (share + few) / _GAINS.reshape(-1, 1, 1), 3 * CELLS**2)


def _measure_zones(colours: Any, inside: Any) -> Any:
    """Return mean and logarithm of the deviation of each colour in each zone, (B, 24)."""
    size = inside.shape[1]
    row, column = (line / size for line in np.mgrid[:size, :size])
    numbers = []
    for zone in ZONES:
        weight = (inside * zone(row, column).astype(np.float32))[:, None]
        total = ops.sum(weight, axis=(2, 3)) + 1e-3
        mean = ops.sum(colours * weight, axis=(2, 3)) / total
        spread = ops.sum(ops.square(colours - mean[..., None, None]) * weight, axis=(2, 3)) / total
        # A chroma's mean counts twice: light changes it less than the lightness.
        numbers.append(mean * np.where(_GAINS == 1.0, 2.0, 4.0 / _GAINS).astype(np.float32))
        numbers.append(0.5 * ops.log(ops.sqrt(spread + 1e-12) / _GAINS + 0.01))
    # By zone, then by colour, the mean before the deviation.
    return _flatten(ops.swapaxes(ops.reshape(ops.stack(numbers, axis=1), (-1, len(ZONES), 2, 3)), 2, 3), 24)


def _flatten(values: Any, width: int) -> Any:
    return ops.reshape(values, (-1, width))


def resize_rows(size: int, target: int) -> Floats:
    """Return the matrix that resizes a line of pixels, a triangle as wide as the coarser of both grids.

    Args:
        size: pixels.
        target: pixels of the result.

    Returns:
        (target, size), rows that sum to 1.
    """
    step = max(size / target, 1.0)
    middles = (np.arange(target) + 0.5) * size / target - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(size) - middles[:, None]) / step)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
