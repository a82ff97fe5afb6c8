"""The distance and height fields that outline and shade a posed hand, sampled on any grid."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handnet.data.synthetic.grid import Grid, find_part, refine
from handnet.data.synthetic.skeleton import Bar, Digit, Floats, Hand

_WEB_MM = 6.0
_THUMB_WEB_MM = 13.0
_PALM_EDGE_MM = 13.0
_PALM_HEIGHT_MM = 9.5
# A finger is known, for nails and rings, this far beyond its skin.
_REACH_MM = 6.0


@dataclass(slots=True)
class Fields:
    """What the renderer knows at each point of a grid.

    Attributes:
        distance_mm: signed distance to the outline of the skin, negative inside.
        height_mm: height of the skin above the table.
        owner: -1 palm, forearm or outside; 0 to 4 the digit that lies on top.
        along_mm: for a digit, distance from its crease along the bone.
        across_mm: for a digit, distance from the bone, positive towards the little finger.
        nail_mm: signed distance to the outline of the nearest nail.
        forearm_mm: distance below the wrist along the forearm.
        forearm_distance_mm: signed distance to the outline of the forearm alone.
    """

    distance_mm: Floats
    height_mm: Floats
    owner: npt.NDArray[np.int8]
    along_mm: Floats
    across_mm: Floats
    nail_mm: Floats
    forearm_mm: Floats
    forearm_distance_mm: Floats


def compute_fields(hand: Hand, grid: Grid) -> Fields:
    """Sample a hand on a grid.

    Args:
        hand: the posed hand.
        grid: the points.

    Returns:
        The fields at the fine points.
    """
    x, y = grid.x, grid.y
    forearm = hand.palm.forearm
    coarse_forearm = _bar_distance(x, y, forearm)
    end_x, end_y = forearm.end
    coarse = _bar_distance(x, y, hand.palm.bars[0])
    for bar in hand.palm.bars[1:]:
        coarse = _smooth_min(coarse, _bar_distance(x, y, bar), bar.melt_mm)
    distance = refine(grid, _smooth_min(coarse, coarse_forearm, forearm.melt_mm))
    fields = Fields(
        distance_mm=distance.copy(),
        height_mm=_PALM_HEIGHT_MM * _dome(distance, _PALM_EDGE_MM),
        owner=np.full(grid.shape, -1, np.int8),
        along_mm=np.zeros(grid.shape, np.float32),
        across_mm=np.zeros(grid.shape, np.float32),
        nail_mm=np.full(grid.shape, np.inf, np.float32),
        forearm_mm=refine(grid, (x * end_x + y * end_y) / float(np.hypot(end_x, end_y))),
        forearm_distance_mm=refine(grid, coarse_forearm),
    )
    nearest = np.full(grid.shape, _REACH_MM, np.float32)
    for finger, digit in enumerate(hand.digits):
        _lay_digit(fields, nearest, grid, finger, digit, distance)
    return fields


def _lay_digit(
    fields: Fields,
    nearest: Floats,
    grid: Grid,
    finger: int,
    digit: Digit,
    palm_distance: Floats,
) -> None:
    """Add one finger to the fields, in place, melting into the palm but not into its neighbours."""
    margin = float(digit.half_widths_mm.max()) + _THUMB_WEB_MM + 4.0
    xs, ys = zip(*digit.joints, strict=True)
    part = find_part(grid, (min(xs) - margin, min(ys) - margin), (max(xs) + margin, max(ys) + margin))
    if part is None:
        return
    coarse, box = part
    places = _find_coordinates(digit, grid.x[coarse], grid.y[coarse])
    rows, columns = (cut.stop - cut.start for cut in box)
    along, across, half_width = (refine(grid, place, is_smooth=False)[:rows, :columns] for place in places)
    distance = _digit_distance(digit, along, across, half_width)
    web = _THUMB_WEB_MM if finger == 0 else _WEB_MM
    joined = _smooth_min(palm_distance[box], distance, web)
    fields.distance_mm[box] = np.minimum(fields.distance_mm[box], joined)
    # A finger is round; inside the palm it sinks, and its height goes over into the palm's.
    sunk = 1.0 - (0.55 if finger == 0 else 0.25) * np.clip(-along / digit.root_mm, 0.0, 1.0)
    height = 0.95 * half_width * _dome(distance, half_width) * sunk
    fade = np.maximum(1.0 - along / (0.35 * digit.length_mm), 0.5 + distance / 8.0)
    palm_height = _PALM_HEIGHT_MM * _dome(joined, _PALM_EDGE_MM) * _ease(fade)
    blended = -_smooth_min(-palm_height, -height, 5.0)
    fields.height_mm[box] = np.maximum(fields.height_mm[box], np.where(joined < 0.0, blended, 0.0))
    own = (distance < nearest[box]) & (along > (0.0 if finger else -2.0))
    nearest[box] = np.where(own, distance, nearest[box])
    fields.owner[box] = np.where(own, finger, fields.owner[box])
    fields.along_mm[box] = np.where(own, along, fields.along_mm[box])
    fields.across_mm[box] = np.where(own, across, fields.across_mm[box])
    nail = _nail_distance(digit, along, across)
    fields.nail_mm[box] = np.where(own, nail, fields.nail_mm[box])


def _find_coordinates(digit: Digit, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return where points lie with respect to one finger.

    Args:
        digit: the finger.
        x: millimetres.
        y: millimetres, same shape.

    Returns:
        Distance along it from its crease, distance across it, its half width there.
    """
    best = np.full(x.shape, np.inf, np.float32)
    along = np.zeros(x.shape, np.float32)
    across = np.zeros(x.shape, np.float32)
    start = -digit.root_mm
    last = len(digit.joints) - 2
    for k, ((ax, ay), (bx, by)) in enumerate(zip(digit.joints[:-1], digit.joints[1:], strict=True)):
        length = float(np.hypot(bx - ax, by - ay))
        ux, uy = (bx - ax) / length, (by - ay) / length
        s = (x - ax) * ux + (y - ay) * uy
        n = (x - ax) * uy - (y - ay) * ux
        outside = s - np.clip(s, 0.0, length)
        gap = outside * outside + n * n
        nearer = gap < best
        best = np.where(nearer, gap, best)
        kept = s if k == last else np.minimum(s, length)
        along = np.where(nearer, start + (np.maximum(kept, 0.0) if k else kept), along)
        across = np.where(nearer, n, across)
        start += length
    # Towards the tip the width stays that of the cap's start: the cap itself makes the rounding.
    half_width = np.interp(np.minimum(along, start), digit.stations_mm, digit.half_widths_mm)
    return along, across, half_width.astype(np.float32)


def _digit_distance(digit: Digit, along: Floats, across: Floats, half_width: Floats) -> Floats:
    beyond = np.maximum(along - (digit.length_mm - digit.tip_half_width_mm * digit.tip_roundness), 0.0)
    before = np.minimum(along + digit.root_mm, 0.0)
    distance: Floats = np.hypot(np.hypot(across, beyond / digit.tip_roundness), before) - half_width
    return distance


def _nail_distance(digit: Digit, along: Floats, across: Floats) -> Floats:
    centre_along, centre_across, half_length, half_width = digit.nail
    a = np.abs(along - centre_along) / half_length
    b = np.abs(across - centre_across) / half_width
    distance: Floats = (np.cbrt(a * a * a + b * b * b) - 1.0) * half_width
    return distance


def _bar_distance(x: Floats, y: Floats, bar: Bar) -> Floats:
    """Return the signed distance to a bar whose half width changes evenly along it."""
    (ax, ay), (bx, by) = bar.start, bar.end
    dx, dy = bx - ax, by - ay
    part = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    half_width = bar.start_half_width_mm + (bar.end_half_width_mm - bar.start_half_width_mm) * part
    return np.hypot(x - ax - part * dx, y - ay - part * dy) - half_width


def _smooth_min(a: Floats, b: Floats, reach: float) -> Floats:
    """Return the minimum of two distances, rounded where they differ by less than `reach`."""
    near = np.maximum(reach - np.abs(a - b), 0.0)
    return np.minimum(a, b) - near * near * np.float32(0.25 / reach)


def _dome(distance: Floats, reach: Floats | float) -> Floats:
    """Return the height (0 to 1) of a surface that rises round from its edge and is flat from `reach` inwards."""
    depth = 1.0 - np.clip(-distance / reach, 0.0, 1.0)
    dome: Floats = np.sqrt(1.0 - depth * depth)
    return dome


def _ease(part: Floats) -> Floats:
    part = np.clip(part, 0.0, 1.0)
    eased: Floats = part * part * (3.0 - 2.0 * part)
    return eased
