"""Where a hand lies in the photo: millimetres to pixels and back, mirrored by view and side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handnet.data.synthetic.skeleton import Floats, Hand, Point

_MARGIN_FRACTION = 0.03


@dataclass(frozen=True, slots=True)
class Placement:
    """A similarity from the frame of a right hand's back to the photo, fingers downwards as in 11k Hands.

    Attributes:
        scale: pixels per millimetre.
        angle_deg: turn of the hand in the photo, clockwise as seen; at 0 the fingers point straight down.
        wrist_px: column and row of the middle of the wrist.
        mirror: +1 or -1 of `compute_mirror`.
    """

    scale: float
    angle_deg: float
    wrist_px: Point
    mirror: int


def compute_mirror(view: str, side: str) -> int:
    """Return -1 where the thumb appears at the right of the photo (fingers downwards), +1 where at the left.

    Args:
        view: "dorsal" or "palmar".
        side: "left" or "right".

    Returns:
        The sign of x in the photo: the back of a right hand, fingers down, has its thumb at the right, as has the palm
        of a left hand.
    """
    return -1 if (view == "dorsal") == (side == "right") else 1


def to_pixels(placement: Placement, points: Sequence[Point] | Floats) -> Floats:
    """Return columns and rows of points.

    Args:
        placement: where the hand lies.
        points: (N, 2) millimetres.

    Returns:
        (N, 2) pixels; whole numbers are the upper left corners of pixels.
    """
    mm = np.asarray(points, np.float64) * (placement.mirror, 1.0)
    angle = np.deg2rad(placement.angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pixels: Floats = placement.scale * mm @ turn.T + np.asarray(placement.wrist_px)
    return pixels


def sample_placement(hand: Hand, view: str, side: str, rng: np.random.Generator, size_px: tuple[int, int]) -> Placement:
    """Sample where a hand lies: entering from the top, fingers downwards, all of them inside the photo.

    Args:
        hand: the posed hand.
        view: "dorsal" or "palmar".
        side: "left" or "right".
        rng: source of randomness.
        size_px: width and height of the photo.

    Returns:
        The placement.
    """
    width, height = size_px
    mirror = compute_mirror(view, side)
    tilted = rng.random() < 0.1
    angle_deg = float(rng.uniform(-35.0, 35.0) if tilted else rng.normal(0.0, 7.0))
    mm_high = 178.0 / float(np.clip(rng.normal(0.82, 0.055), 0.68, 0.95))
    scale = height / mm_high
    wrist_px = (float(rng.normal(0.5, 0.07)) * width, float(rng.uniform(-0.06, 0.13)) * height)
    low, high = _find_extent(hand, Placement(scale, angle_deg, wrist_px, mirror))
    margin = _MARGIN_FRACTION * height
    room = np.array([width - 2 * margin, height - margin])
    # The wrist may leave the photo at the top, a finger may not leave it anywhere: shrink where needed, then shift.
    below_wrist = np.array([high[0] - low[0], high[1] - min(low[1], wrist_px[1])])
    shrink = float(min(1.0, *(room / below_wrist)))
    low, high = (np.array(wrist_px) + shrink * (edge - wrist_px) for edge in (low, high))
    shift_x = max(0.0, margin - low[0]) - max(0.0, high[0] - (width - margin))
    shift_y = max(0.0, margin - low[1]) - max(0.0, high[1] - (height - margin))
    return Placement(scale * shrink, angle_deg, (float(wrist_px[0] + shift_x), float(wrist_px[1] + shift_y)), mirror)


def find_box(hand: Hand, placement: Placement, size_px: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the part of the photo that hand and forearm can reach: left, top, right, bottom."""
    low, high = _find_extent(hand, placement)
    palm = to_pixels(placement, [(-60.0, 0.0), (60.0, 0.0), (-60.0, 110.0), (60.0, 110.0)])
    away = to_pixels(placement, [(hand.palm.forearm.end[0] - 80.0, -400.0), (hand.palm.forearm.end[0] + 80.0, -400.0)])
    points = np.vstack([low - 2.0, high + 2.0, palm, away])
    left, top = np.clip(np.floor(points.min(axis=0)), 0, size_px).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(axis=0)), 0, size_px).astype(int).tolist()
    return left, top, right, bottom


def _find_extent(hand: Hand, placement: Placement) -> tuple[Floats, Floats]:
    """Return the upper left and lower right corner of the box around all fingers, nails included."""
    corners = []
    for digit in hand.digits:
        reach = (digit.tip_half_width_mm + max(0.0, digit.nail[0] + digit.nail[2] - digit.length_mm)) * placement.scale
        tip = to_pixels(placement, digit.joints[-1:])[0]
        corners += [tip - reach * max(1.0, digit.tip_roundness), tip + reach * max(1.0, digit.tip_roundness)]
    return np.min(corners, axis=0), np.max(corners, axis=0)
