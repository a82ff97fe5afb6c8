"""A picture of an upright hand turned, scaled and shifted a little, until its outline lies on that of a mean hand."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

Floats = npt.NDArray[np.float32]

# The outline is compared on this many cells along each side, blurred by this share of the picture's side: a hand with its
# fingers apart then still overlaps one with its fingers closed.
TEMPLATE_CELLS = 32
BLUR_FRACTION = 5.0 / 128.0
# A hand differs from white paper by this much at its least, in values of 0..255: what differs more is all hand.
_HAND_CONTRAST = 24.0
_STEPS = 6
_DAMPING = 0.7
# Weight of no change against the overlap: without it closed hands would be turned until their outlines agree by chance.
_RIDGE = 2.0


def cover_hand(images: Any) -> Any:
    """Return how much of each pixel is hand, from a hand on a white ground.

    Args:
        images: (B, S, S, 3), 0..255.

    Returns:
        (B, S, S), 0..1.
    """
    return ops.clip((255.0 - ops.min(images, axis=-1)) / _HAND_CONTRAST, 0.0, 1.0)


def gaussian_rows(size: int, cells: int, sigma_px: float) -> Floats:
    """Return the matrix that samples a line of pixels at the middles of cells, through a Gaussian.

    Args:
        size: pixels.
        cells: cells.
        sigma_px: standard deviation of the Gaussian, pixels, > 0.

    Returns:
        (cells, size), rows that sum to 1.
    """
    middles = (np.arange(cells) + 0.5) * size / cells - 0.5
    weights = np.exp(-0.5 * ((np.arange(size) - middles[:, None]) / sigma_px) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def blur_rows(size: int, sigma_px: float) -> Floats:
    """Return the matrix that blurs a line of pixels by a Gaussian; beyond the border comes the border's pixel.

    Args:
        size: pixels.
        sigma_px: standard deviation of the Gaussian, pixels, > 0; it is cut off at four of them.

    Returns:
        (size, size), rows that sum to 1.

    Reference:
        `scipy.ndimage.gaussian_filter1d` with mode="nearest", whose import takes a fifth of a second.
    """
    reach = int(4.0 * sigma_px + 0.5)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 / sigma_px**2 * offsets**2)
    rows, pixels = np.zeros((size, size)), np.arange(size)
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        rows[pixels, np.clip(pixels + offset, 0, size - 1)] += weight
    return rows.astype(np.float32)


def sample(images: Any, places: Any) -> Any:
    """Sample pictures bilinearly; beyond the border comes the border's nearest pixel.

    Args:
        images: (B, H, W, C).
        places: (B, 2, N) rows and columns; whole numbers are the middles of pixels.

    Returns:
        (B, N, C).
    """
    height, width, channels = images.shape[1:]
    last = np.array([[height - 1.0], [width - 1.0]], np.float32)
    # Rows and columns together: the graph of each step is half as large.
    places = ops.clip(places, 0.0, last)
    corner = ops.clip(ops.floor(places), 0.0, last - 1.0)
    down, right = (share[..., None] for share in ops.unstack(places - corner, axis=1))
    top, left = ops.unstack(ops.cast(corner, "int32"), axis=1)
    # The pixels of all pictures as rows: to pick along an axis of each picture would be some fifty operations of a graph.
    rows = ops.reshape(images, (-1, channels))
    first = ops.reshape(ops.arange(ops.shape(images)[0], dtype="int32") * (height * width), (-1, 1))
    index = first + top * width + left
    # The four pixels around each place are picked at once.
    corners = ops.concatenate([index + offset for offset in (0, 1, width, width + 1)], axis=1)
    picked = ops.split(ops.take(rows, corners, axis=0), 4, axis=1)
    upper = picked[0] * (1.0 - right) + picked[1] * right
    lower = picked[2] * (1.0 - right) + picked[3] * right
    return upper * (1.0 - down) + lower * down


def find_gain(template: Floats) -> tuple[Floats, Floats]:
    """Return what turns a difference from the template into a change of pose.

    Args:
        template: (32, 32), 0..1.

    Returns:
        The gain (1024, 4) and the decay (4, 4) of a ridge regression on the template's derivatives by angle (radians),
        logarithm of the scale, shift down and shift right (both as fractions of the side).
    """
    cells = len(template)
    down, right = (slope * cells for slope in np.gradient(template.astype(np.float64)))
    y, x = _lay_cells(cells)
    jacobian = np.stack([right * y - down * x, down * y + right * x, down, right], axis=-1).reshape(-1, 4)
    inverse = np.linalg.inv(jacobian.T @ jacobian + _RIDGE * np.eye(4))
    return (jacobian @ inverse).astype(np.float32), (_RIDGE * inverse).astype(np.float32)


def _lay_cells(cells: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each cell's place (y, x) from the middle of the picture, as fractions of its side."""
    line = _lay_line(cells)
    y, x = np.meshgrid(line, line, indexing="ij")
    return y, x


def _lay_line(cells: int) -> npt.NDArray[np.float64]:
    """Return the places (cells,) of cells along a line from its middle, as fractions of its length."""
    return (np.arange(cells) + 0.5) / cells - 0.5


@keras.saving.register_keras_serializable("handnet")
class HandAlignment(keras.layers.Layer):
    """Moves each hand by the similarity that brings its blurred outline closest to the template's.

    The template, and what follows from it, are weights: with random weights they are zero, and nothing moves. Six steps of
    Gauss and Newton on the template's derivatives, with a ridge, float32 under every policy.

    Args:
        name: layer name.

    Reference:
        Baker and Matthews 2004, "Lucas-Kanade 20 Years On: A Unifying Framework", section 3; here the step is added to
        the pose rather than composed with it, and a ridge holds it near no change.
    """

    def __init__(self, name: str = "alignment", **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create template, gain and decay."""
        cells = TEMPLATE_CELLS

        def add(name: str, shape: tuple[int, ...]) -> Any:
            return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

        self.template = add("template", (cells, cells))
        self.gain = add("gain", (cells * cells, 4))
        self.decay = add("decay", (4, 4))

    def call(self, images: Any) -> Any:
        """Return the moved pictures, (B, S, S, 3) float32 of 0..255."""
        images = ops.cast(images, "float32")
        size, cells = images.shape[1], TEMPLATE_CELLS
        rows = gaussian_rows(size, cells, BLUR_FRACTION * size)
        outline = ops.matmul(ops.matmul(rows, cover_hand(images)), rows.T)[..., None]
        pose = ops.zeros_like(outline[:, 0, :1, 0]) * np.zeros((1, 4), np.float32)
        for _ in range(_STEPS):
            moved = sample(outline, _place(pose, cells))
            difference = ops.reshape(self.template, (1, -1)) - moved[..., 0]
            pose = pose + _DAMPING * (ops.matmul(difference, self.gain) - ops.matmul(pose, self.decay))
        return ops.reshape(sample(images, _place(pose, size)), (-1, size, size, 3))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape


def _place(pose: Any, size: int) -> Any:
    """Return where the pixels of the moved pictures lie in those as they were: (B, 2, S²), rows and columns."""
    # Rows by columns, so that a graph holds no table of all places.
    line = _lay_line(size).astype(np.float32)
    y, x = line.reshape(1, -1, 1), line.reshape(1, 1, -1)
    angle, scale = pose[:, :1, None], ops.exp(pose[:, 1:2, None])
    sine, cosine = ops.sin(angle) * scale, ops.cos(angle) * scale
    turned = ops.stack([cosine * y - sine * x, sine * y + cosine * x], axis=1)
    return (ops.reshape(turned, (-1, 2, size * size)) + pose[:, 2:, None]) * size + (size - 1) / 2.0
