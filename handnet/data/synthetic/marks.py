"""What marks the skin of each view: wrinkles and knuckles of the back, folds and pads of the palm."""

import numpy as np

from handnet.data.synthetic.fields import Fields
from handnet.data.synthetic.grid import Grid, refine
from handnet.data.synthetic.person import Person
from handnet.data.synthetic.skeleton import Floats, Hand, Point


def mark_dorsal(
    person: Person, hand: Hand, fields: Fields, grid: Grid, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Mark the back: knuckles, tendons, wrinkles over the joints.

    Args:
        person: whose hand; the darker the skin, the darker the knuckles.
        hand: the posed hand.
        fields: its fields on the grid.
        grid: the points.
        rng: decides the marks: of one person, hand and view.

    Returns:
        Darkening (0 to 1), redness (about 0 to 1) and relief (millimetres), each (H, W).
    """
    wrinkling = float(rng.uniform(0.6, 1.3))
    knuckle_shade = float(rng.uniform(0.05, 0.12) + 0.09 * person.melanin)
    redness, relief = _raise_knuckles(hand, grid, float(rng.uniform(0.4, 1.3)))
    dark = 0.9 * knuckle_shade * redness
    for finger, digit in enumerate(hand.digits):
        places = digit.joint_stations_mm[:1] if finger == 0 else digit.joint_stations_mm
        folds = []
        for k, place in enumerate(places):
            count = int(rng.integers(4, 8)) - 3 * k
            offsets = (np.arange(count) - (count - 1) / 2) * 1.7 + rng.normal(0.0, 0.5, count)
            folds.append((place, offsets, rng.uniform(0.25, 1.0, count), rng.normal(0.0, 0.012, count)))
        box = _digit_box(fields, finger)
        if box is None:
            continue
        near = _cut(fields, box)
        on = near.owner == finger
        length = digit.length_mm
        for k, (place, offsets, strengths, bows) in enumerate(folds):
            patch = np.exp(-(((near.along_mm - place) / (0.085 * length)) ** 2))
            patch *= np.exp(-((near.across_mm / (0.9 * digit.tip_half_width_mm)) ** 2))
            # Wrinkles bow away from the middle of the joint, like brackets.
            lines = _fold(near, place + offsets, bows + 0.007 * offsets, strengths, 0.55, grid.step_mm) * patch
            dark[box] += np.where(on, 0.34 * wrinkling * lines, 0.0)
            weight = 1.0 if k == 0 else 0.6
            dark[box] += np.where(on, weight * knuckle_shade * patch, 0.0)
            redness[box] += np.where(on, 0.4 * weight * patch, 0.0)
        tip = np.clip((near.along_mm - 0.72 * length) / (0.2 * length), 0.0, 1.0)
        redness[box] += np.where(on, 0.35 * tip, 0.0)
    return dark, redness, relief


def _raise_knuckles(hand: Hand, grid: Grid, prominence: float) -> tuple[Floats, Floats]:
    """Return redness and relief (millimetres) of knuckles and tendons, each (H, W)."""
    x, y = grid.x, grid.y
    redness, relief = np.zeros(x.shape, np.float32), np.zeros(x.shape, np.float32)
    for knuckle, carpal in zip(hand.palm.knuckles, hand.palm.carpals, strict=True):
        bump = _blob(x, y, (knuckle[0], knuckle[1] + 3.0), 7.0, 9.0)
        relief += 1.6 * prominence * bump
        redness += 0.45 * bump
        dx, dy = knuckle[0] - carpal[0], knuckle[1] - carpal[1]
        length = float(np.hypot(dx, dy))
        part = ((x - carpal[0]) * dx + (y - carpal[1]) * dy) / length**2
        across = ((x - carpal[0]) * dy - (y - carpal[1]) * dx) / length
        inside = np.clip(6.0 * part, 0.0, 1.0) * np.clip(6.0 * (1.0 - part), 0.0, 1.0)
        relief += 0.8 * prominence * inside * np.exp(-((across / 3.0) ** 2))
    return refine(grid, redness).copy(), refine(grid, relief)


def mark_palmar(hand: Hand, fields: Fields, grid: Grid, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Mark the palm: its balls, pads and hollow, and the folds of the fingers.

    Args:
        hand: the posed hand.
        fields: its fields on the grid.
        grid: the points.
        rng: decides the marks: of one person, hand and view.

    Returns:
        Darkening (0 to 1), redness (about 0 to 1) and relief (millimetres), each (H, W).
    """
    redness, relief = _raise_pads(hand, grid, rng)
    dark = np.zeros(grid.shape, np.float32)
    strength = float(rng.uniform(0.75, 1.25))
    for finger, digit in enumerate(hand.digits):
        first, second = digit.joint_stations_mm
        places = [1.0, first, first + float(rng.uniform(1.8, 3.4))]
        weights = [0.22, 0.24, 0.16 if rng.random() < 0.7 else 0.04]
        if finger:
            places.append(second)
            weights.append(0.20)
        bows = rng.normal(0.0, 0.010, len(places))
        box = _digit_box(fields, finger)
        if box is None:
            continue
        near = _cut(fields, box)
        on = near.owner == finger
        # Folds fade towards the sides of a finger.
        middle = np.clip(1.15 - 0.6 * (near.across_mm / digit.half_widths_mm[-1]) ** 4, 0.2, 1.0)
        lines = _fold(near, np.array(places), bows, np.array(weights), 0.75, grid.step_mm) * middle
        dark[box] += np.where(on, strength * lines, 0.0)
        relief[box] -= np.where(on, lines, 0.0)
        u = near.along_mm / digit.length_mm
        pads = np.exp(-(((u - 0.87) / 0.09) ** 2)) + 0.3 * np.exp(-(((u - 0.52) / 0.08) ** 2))
        redness[box] += np.where(on, 0.75 * pads, 0.0)
    return dark, redness, relief


def _raise_pads(hand: Hand, grid: Grid, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return redness and relief (millimetres) of the palm's balls, pads and hollow, each (H, W)."""
    x, y = grid.x, grid.y
    relief = np.zeros(x.shape, np.float32)
    shape = hand.shape
    length, breadth = shape.palm_length_mm, shape.palm_breadth_mm
    (rx, ry), (tx, ty) = hand.palm.thenar
    thenar = _blob(x, y, (0.5 * (rx + tx) + 2.0, 0.5 * (ry + ty) + 2.0), 0.24 * breadth, 0.26 * length)
    hypothenar = _blob(x, y, (0.30 * breadth, 0.34 * length), 0.17 * breadth, 0.28 * length)
    hollow = _blob(x, y, (0.04 * breadth, 0.52 * length), 0.16 * breadth, 0.20 * length)
    relief += float(rng.uniform(2.5, 4.5)) * thenar + float(rng.uniform(1.5, 3.0)) * hypothenar
    relief -= float(rng.uniform(1.0, 2.2)) * hollow
    redness = 0.55 * thenar + 0.5 * hypothenar - 0.35 * hollow
    # The pads of the palm lie between the fingers, where the knuckles' back has its valleys.
    for (ax, ay), (bx, by) in zip(hand.palm.bases[:-1], hand.palm.bases[1:], strict=True):
        pad = _blob(x, y, (0.5 * (ax + bx), 0.5 * (ay + by) - 0.13 * length), 7.0, 13.0)
        relief += 2.6 * pad
        redness += 0.4 * pad
    return refine(grid, redness).copy(), refine(grid, relief).copy()


def _blob(x: Floats, y: Floats, centre: Point, reach_x: float, reach_y: float) -> Floats:
    """Return a bump of height 1 at a centre that falls to 1/e at the reach of either axis."""
    u, v = (x - centre[0]) / reach_x, (y - centre[1]) / reach_y
    blob: Floats = np.exp(-(u * u + v * v))
    return blob


def _fold(fields: Fields, places: Floats, bows: Floats, weights: Floats, width_mm: float, step_mm: float) -> Floats:
    """Return the sum of lines across a finger, each no thinner than the grid can show, and fainter in proportion."""
    width = max(width_mm, 0.6 * step_mm)
    square = fields.across_mm * fields.across_mm
    gaps = (fields.along_mm - _one_a_layer(places) + _one_a_layer(bows) * square) * np.float32(1.0 / width)
    total: Floats = np.einsum("l,lhw->hw", (weights * width_mm / width).astype(np.float32), np.exp(-gaps * gaps))
    return total


def _one_a_layer(values: Floats) -> Floats:
    """Return (L,) values as (L, 1, 1), to be combined with (H, W)."""
    layers: Floats = values.astype(np.float32)[:, None, None]
    return layers


def _digit_box(fields: Fields, finger: int) -> tuple[slice, slice] | None:
    """Return the rows and columns that a finger covers; None where it is not seen."""
    own = fields.owner == finger
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    if rows.size == 0:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _cut(fields: Fields, box: tuple[slice, slice]) -> Fields:
    """Return the fields within a box."""
    return Fields(**{name: getattr(fields, name)[box] for name in Fields.__slots__})
