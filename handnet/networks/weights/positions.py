"""Resampling of a transformer's position table, by the rule of each implementation."""

import math

import numpy as np

from handnet.config.settings import POSITION_RULES
from handnet.errors import ConfigError, format_unknown


def resample_table(table: np.ndarray, grid: int, rule: str, antialias: bool) -> np.ndarray:
    """Resample the patch part of a position table to another number of patches.

    Args:
        table: (1, 1 + n·n, width); the class token's row first.
        grid: patches per side wanted, at least 1.
        rule: one of `POSITION_RULES`. They differ by up to 0.02 in the class token at 224 px; weights were
            published with "meta".
        antialias: as the weights were published: True for the variants with registers, False for the plain ones.

    Returns:
        (1, 1 + grid·grid, width), float32; the table itself where the size is the same.

    Raises:
        ConfigError: for an unknown rule.

    Reference: `interpolate_pos_encoding` in facebookresearch/dinov2 (with its interpolate_offset: 0.1, or 0 with
    registers), in transformers' Dinov2Model, and `_interpolate_position_embeddings` in keras-hub on TensorFlow.
    """
    if rule not in POSITION_RULES:
        raise ConfigError(format_unknown("position rule", rule, POSITION_RULES))
    source = math.isqrt(table.shape[1] - 1)
    if source == grid:
        return table.astype(np.float32)
    if antialias:
        matrix = _antialiased(source, grid)
    elif rule == "keras":
        matrix = _tensorflow(source, grid)
    else:
        matrix = _torch(source, grid, source / (grid + 0.1) if rule == "meta" else source / grid)
    patches = table[0, 1:].reshape(source, source, -1).astype(np.float64)
    patches = np.einsum("ab,cd,bdw->acw", matrix, matrix, patches, optimize=True)
    resampled = np.concatenate([table[:, :1], patches.reshape(1, grid * grid, -1)], axis=1)
    return resampled.astype(np.float32)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    # Keys 1981, equation 15: the kernel of every bicubic; PyTorch takes a = -0.75, the others -0.5.
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _torch(source: int, target: int, step: float) -> np.ndarray:
    # Four taps; those beyond the edge fall on the edge.
    centers = step * (np.arange(target) + 0.5) - 0.5
    matrix = np.zeros((target, source))
    for tap in range(-1, 3):
        index = np.floor(centers).astype(int) + tap
        weights = _cubic(centers - index, -0.75)
        np.add.at(matrix, (np.arange(target), np.clip(index, 0, source - 1)), weights)
    return matrix


def _tensorflow(source: int, target: int) -> np.ndarray:
    # Four taps from a table of 1024 steps; those beyond the edge are left out and the rest rescaled.
    centers = source / target * (np.arange(target) + 0.5) - 0.5
    base = np.floor(centers)
    fraction = np.rint((centers - base) * 1024) / 1024
    matrix = np.zeros((target, source))
    for tap in range(-1, 3):
        index = base.astype(int) + tap
        inside = (index >= 0) & (index < source)
        matrix[np.nonzero(inside)[0], index[inside]] = _cubic(fraction - tap, -0.5)[inside]
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def _antialiased(source: int, target: int) -> np.ndarray:
    # The kernel widens with the step where the table shrinks; PyTorch and TensorFlow agree here.
    step = source / target
    width = max(step, 1.0)
    centers = step * (np.arange(target) + 0.5) - 0.5
    matrix = _cubic((np.arange(source) - centers[:, None]) / width, -0.5)
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))
