"""The points at which a hand is sampled: a fine grid, and a coarse one for all that changes slowly."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from handnet.data.synthetic.placement import Placement
from handnet.data.synthetic.skeleton import Floats

# What is no sharper than a knuckle loses nothing by being computed at points this far apart.
_COARSE_MM = 2.4
Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Grid:
    """Points in a box of the photo, in the frame of a right hand's back.

    Attributes:
        shape: rows and columns of the fine grid.
        step_mm: millimetres from fine point to fine point.
        factor: fine points per coarse point, along each axis.
        x: (h, w) millimetres at the coarse points, float32; one row or column more than needed on every side.
        y: (h, w) millimetres, float32.
    """

    shape: tuple[int, int]
    step_mm: float
    factor: int
    x: Floats
    y: Floats


def sample_grid(placement: Placement, box: tuple[int, int, int, int], step_px: float) -> Grid:
    """Return the points in a box of the photo.

    Args:
        placement: where the hand lies.
        box: left, top, right, bottom in pixels.
        step_px: distance between fine points; they lie in the middle of squares of this side.

    Returns:
        The grid.
    """
    left, top, right, bottom = box
    step_mm = step_px / placement.scale
    factor = max(1, round(_COARSE_MM / step_mm))
    rows, columns = round((bottom - top) / step_px), round((right - left) / step_px)
    coarse_px = factor * step_px
    u = left + coarse_px * (np.arange(-(-columns // factor) + 2) - 0.5) - placement.wrist_px[0]
    v = top + coarse_px * (np.arange(-(-rows // factor) + 2) - 0.5) - placement.wrist_px[1]
    angle = np.deg2rad(placement.angle_deg)
    c, s = np.cos(angle) / placement.scale, np.sin(angle) / placement.scale
    x = placement.mirror * (c * u[None, :] + s * v[:, None])
    y = c * v[:, None] - s * u[None, :]
    return Grid((rows, columns), step_mm, factor, x.astype(np.float32), y.astype(np.float32))


def refine(grid: Grid, coarse: Floats, is_smooth: bool = True) -> Floats:
    """Interpolate values from the coarse points, or from a part of them, to the fine ones.

    Args:
        grid: the grid.
        coarse: (h, w) at all coarse points, or at a part found by `find_part`.
        is_smooth: interpolate with continuous slope, rather than linearly between points.

    Returns:
        (H, W) float32: all fine points but those of the outermost coarse rows and columns; cut to the grid's shape.
    """
    h, w = coarse.shape[0] - 2, coarse.shape[1] - 2
    method = Image.Resampling.BICUBIC if is_smooth else Image.Resampling.BILINEAR
    image = Image.fromarray(np.asarray(coarse, np.float32))
    fine = image.resize((w * grid.factor, h * grid.factor), method, box=(1, 1, 1 + w, 1 + h))
    return np.asarray(fine)[: grid.shape[0], : grid.shape[1]]


def find_part(grid: Grid, low: tuple[float, float], high: tuple[float, float]) -> tuple[Box, Box] | None:
    """Find the part of the grid within a box of millimetres.

    Args:
        grid: the grid.
        low: least x and y.
        high: greatest x and y.

    Returns:
        Rows and columns of the coarse points, with one more on every side, and of the fine points; None if there are none.
    """
    inside = (grid.x > low[0]) & (grid.x < high[0]) & (grid.y > low[1]) & (grid.y < high[1])
    inside = inside[1:-1, 1:-1]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        return None
    (top, bottom), (left, right) = ((int(places[0]), int(places[-1]) + 1) for places in (rows, columns))
    f = grid.factor
    coarse = (slice(top, bottom + 2), slice(left, right + 2))
    fine = (slice(top * f, min(bottom * f, grid.shape[0])), slice(left * f, min(right * f, grid.shape[1])))
    return coarse, fine
