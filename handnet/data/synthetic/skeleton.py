"""How a hand is held: its bones, posed in millimetres.

The frame is that of a right hand seen from its back: the origin at the middle of the wrist, y towards the fingertips, x
towards the little finger. Other hands and views are mirror images, made where the photo is placed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.data.synthetic.person import HandShape

Floats = npt.NDArray[np.floating[Any]]
Point = tuple[float, float]

# A finger's bone starts in the palm, this far below its crease, in parts of its length.
_ROOT_FRACTION = 0.30


@dataclass(frozen=True, slots=True)
class Pose:
    """How the hand is held in one photo, in degrees; lengths shrink a little where fingers do not lie flat.

    Attributes:
        spread_deg: turn of each digit at its root beyond its rest, positive away from the middle finger.
        bend_deg: sideways bend of each digit at its joints, beyond its lasting one.
        flatness: apparent length of each digit divided by its true length.
        wrist_deg: angle between forearm and hand.
        sleeve_mm: distance of a sleeve's hem below the wrist; None without a sleeve in sight.
    """

    spread_deg: tuple[float, ...]
    bend_deg: tuple[float, ...]
    flatness: tuple[float, ...]
    wrist_deg: float
    sleeve_mm: float | None


@dataclass(frozen=True, slots=True)
class Digit:
    """One posed finger: its bones, its width along them, and its nail as (along, across, half length, half width)."""

    joints: tuple[Point, ...]
    length_mm: float
    root_mm: float
    stations_mm: Floats
    half_widths_mm: Floats
    tip_half_width_mm: float
    tip_roundness: float
    joint_stations_mm: tuple[float, float]
    nail: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """A round bar of the palm, which melts into the others where they come within `melt_mm` of each other."""

    start: Point
    end: Point
    start_half_width_mm: float
    end_half_width_mm: float
    melt_mm: float


@dataclass(frozen=True, slots=True)
class Palm:
    """The posed palm: round bars, and the places that the skin's relief and lines are tied to."""

    bars: tuple[Bar, ...]
    forearm: Bar
    knuckles: tuple[Point, ...]
    bases: tuple[Point, ...]
    carpals: tuple[Point, ...]
    thenar: tuple[Point, Point]


@dataclass(frozen=True, slots=True)
class Hand:
    """A posed hand, ready to be sampled on any grid of points."""

    shape: HandShape
    pose: Pose
    palm: Palm
    digits: tuple[Digit, ...]


def sample_pose(rng: np.random.Generator) -> Pose:
    """Sample how a hand is held: fingers closed, at ease or spread.

    Args:
        rng: source of randomness.

    Returns:
        The pose.
    """
    openness = float(rng.choice([-0.55, 0.25, 1.0], p=[0.3, 0.4, 0.3]) + rng.normal(0.0, 0.15))
    reach = np.array((12.0, 6.5, 0.5, 5.0, 11.0))
    spread = reach * openness + rng.normal(0.0, (5.0, 1.3, 1.2, 1.3, 1.8))
    # Closed fingers press against each other; they do not cross.
    spread = np.maximum(spread, (-14.0, -4.0, -1.5, -3.5, -7.5))
    flatness = 1.0 - np.abs(rng.normal(0.0, (0.03, 0.014, 0.014, 0.014, 0.018)))
    return Pose(
        spread_deg=tuple(spread.tolist()),
        bend_deg=tuple(rng.normal(0.0, (3.0, 0.8, 0.8, 0.8, 1.0)).tolist()),
        flatness=tuple(flatness.tolist()),
        wrist_deg=float(rng.normal(0.0, 6.0)),
        sleeve_mm=float(rng.uniform(2.0, 40.0)) if rng.random() < 0.35 else None,
    )


def pose_hand(shape: HandShape, pose: Pose) -> Hand:
    """Place the bones of a hand.

    Args:
        shape: lasting outline.
        pose: how it is held.

    Returns:
        The posed hand in the frame of a right hand seen from its back.
    """
    bases = compute_finger_bases(shape)
    length = shape.palm_length_mm
    digits, knuckles, bars, carpals = [], [], [], []
    rest = (-4.0, -0.5, 2.0, 5.5)
    fan = (-1.5, -0.5, 0.5, 1.5)
    for k, base in enumerate(bases):
        finger = k + 1
        root_mm = _ROOT_FRACTION * shape.finger_lengths_mm[finger]
        outward = -1.0 if finger < 2 else 1.0
        lasting = rest[k] + fan[k] * shape.fan_deg
        away = _turn(root_mm, lasting)
        knuckle = (base[0] - away[0], base[1] - away[1])
        knuckles.append(knuckle)
        angle = lasting + outward * pose.spread_deg[finger]
        digits.append(_build_digit(shape, pose, finger, knuckle, angle, root_mm))
        carpal = ((base[0] + 1.0) * 0.55, 0.17 * length)
        carpals.append(carpal)
        reach = shape.finger_half_widths_mm[finger] + 0.8
        bars.append(Bar(carpal, _mix(knuckle, base, 0.62), 14.0, reach, 6.0))
    heel = shape.heel_half_width_mm
    thumb_root = (-0.40 * heel, shape.thumb_root_fraction * length)
    thumb_angle = -shape.thumb_angle_deg - pose.spread_deg[0]
    thumb_root_mm = 0.42 * length
    thumb = _build_digit(shape, pose, 0, thumb_root, thumb_angle, thumb_root_mm)
    thenar = (thumb_root, _add(thumb_root, _turn(0.72 * thumb_root_mm, thumb_angle)))
    bars.append(Bar(*thenar, shape.thenar_half_width_mm, 0.80 * shape.thenar_half_width_mm, 9.0))
    little, index = bases[3], bases[0]
    bars.append(Bar((heel - 15.0, 0.16 * length), (little[0] - 3.0, 0.62 * length), 15.0, 12.5, 9.0))
    bars.append(Bar((-0.1 * heel, 0.2 * length), (0.1 * heel, 0.2 * length), 0.78 * heel, 0.78 * heel, 9.0))
    bars.append(Bar((10.0 - 0.45 * shape.palm_breadth_mm, 0.6 * length), (index[0], index[1] - 22.0), 9.0, 9.0, 9.0))
    wrist = shape.wrist_half_width_mm
    return Hand(
        shape=shape,
        pose=pose,
        palm=Palm(
            bars=tuple(bars),
            forearm=Bar((0.0, 8.0), _turn(-400.0, pose.wrist_deg), wrist, 2.0 * wrist, 26.0),
            knuckles=tuple(knuckles),
            bases=tuple(bases),
            carpals=tuple(carpals),
            thenar=thenar,
        ),
        digits=(thumb, *digits),
    )


def compute_finger_bases(shape: HandShape) -> list[Point]:
    """Return the middle of the crease at the base of each of the four fingers, index first.

    Args:
        shape: the hand.

    Returns:
        Four points in millimetres.
    """
    widths = np.array(shape.finger_half_widths_mm[1:])
    widths = widths * (shape.palm_breadth_mm / 2.0 / widths.sum())
    x = np.cumsum(2.0 * widths) - widths - shape.palm_breadth_mm / 2.0
    drops = (shape.index_drop_mm, 0.0, 0.3 * shape.little_drop_mm, shape.little_drop_mm)
    return [(float(a) - 1.0, shape.palm_length_mm - drop) for a, drop in zip(x, drops, strict=True)]


def _build_digit(shape: HandShape, pose: Pose, finger: int, root: Point, angle_deg: float, root_mm: float) -> Digit:
    length = shape.finger_lengths_mm[finger] * pose.flatness[finger]
    first = shape.joint_fraction * length if finger else 0.44 * length
    second = (shape.joint_fraction + 0.30) * length if finger else first
    bend = shape.finger_bends_deg[finger] + pose.bend_deg[finger]
    half_width = shape.finger_half_widths_mm[finger]
    tip = half_width * shape.taper * (0.93 if finger == 0 else 1.0)
    cap = tip * shape.tip_roundness
    first_joint = _add(root, _turn(root_mm + first, angle_deg))
    joints = [root, first_joint]
    if finger:
        joints.append(_add(first_joint, _turn(second - first, angle_deg + bend)))
    joints.append(_add(joints[-1], _turn(length - cap - second, angle_deg + bend * (1.6 if finger else 1.0))))
    stations = np.linspace(-root_mm, length, 64)
    part = np.clip(stations / (length - cap), -0.4, 1.0)
    profile = half_width + (tip - half_width) * part
    bulges = ((first, 0.085, 1.0), (second, 0.07, 0.45), (length - 1.25 * cap, 0.10, 0.55))
    for place, reach, strength in bulges:
        profile += half_width * shape.joint_bulge * strength * np.exp(-(((stations - place) / (reach * length)) ** 2))
    if finger == 0:
        profile += 0.16 * half_width * np.exp(-(((stations + 0.3 * root_mm) / (0.5 * root_mm)) ** 2))
    # The thumb shows its nail from the side.
    nail_half_width = tip * (0.62 if finger == 0 else 0.80)
    nail_end = length - 0.6 + shape.nail_overhang_mm
    nail_half_length = 0.5 * (2.0 * tip * shape.nail_length_fraction + shape.nail_overhang_mm)
    nail = (nail_end - nail_half_length, -0.30 * tip if finger == 0 else 0.0, nail_half_length, nail_half_width)
    return Digit(
        joints=tuple(joints),
        length_mm=length,
        root_mm=root_mm,
        stations_mm=stations,
        half_widths_mm=profile,
        tip_half_width_mm=tip,
        tip_roundness=shape.tip_roundness,
        joint_stations_mm=(first, second),
        nail=nail,
    )


def _turn(length: float, angle_deg: float) -> Point:
    """Return the vector of a length at an angle from y, positive towards x."""
    angle = np.deg2rad(angle_deg)
    return float(length * np.sin(angle)), float(length * np.cos(angle))


def _add(a: Point, b: Point) -> Point:
    return a[0] + b[0], a[1] + b[1]


def _mix(a: Point, b: Point, part: float) -> Point:
    return a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part
