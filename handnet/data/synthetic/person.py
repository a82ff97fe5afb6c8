"""Who is drawn: the lasting traits of a synthetic person, sampled once and the same in every photo."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handnet.data.example import SIDES

# Thumb, index, middle, ring, little.
NUM_FINGERS = 5
_FINGER_LENGTHS_MM = (49.5, 63.9, 70.7, 65.5, 53.3)
_FINGER_HALF_WIDTHS_MM = (11.0, 10.0, 10.1, 9.5, 8.4)
_SKIN_CLASSES = ("very fair", "fair", "medium", "dark")
_SKIN_SHARES = (0.03, 0.32, 0.58, 0.07)
_SKIN_MELANIN = ((0.0, 0.12), (0.12, 0.36), (0.36, 0.68), (0.72, 1.0))
_RING_COLORS = ((212, 175, 95), (200, 200, 205), (196, 140, 115), (70, 70, 78))
_POLISH_COLORS = (
    (178, 24, 42),
    (226, 72, 140),
    (92, 20, 44),
    (240, 176, 190),
    (60, 50, 120),
    (40, 40, 44),
    (205, 90, 70),
)
# The left hand repeats the right one's traits up to this correlation; the rest is the asymmetry of a person.
_SIDE_CORRELATION = 0.985


@dataclass(frozen=True, slots=True)
class HandShape:
    """The lasting outline of one hand, in millimetres and degrees, in the frame of a right hand seen from the back.

    Attributes:
        finger_lengths_mm: crease to tip, from thumb to little finger.
        finger_half_widths_mm: at the base, from thumb to little finger.
        finger_bends_deg: lasting sideways bend at the joints, positive towards the little finger.
        taper: width at the tip divided by the width at the base.
        joint_bulge: how much wider the joints are than the bones between them, as a fraction.
        tip_roundness: length of the rounded tip divided by its half width; below 1 blunt, above 1 pointed.
        joint_fraction: place of the first finger joint, as a fraction of the finger's length.
        palm_length_mm: wrist crease to the base of the middle finger.
        palm_breadth_mm: across the knuckles, without the thumb.
        index_drop_mm: how far the base of the index finger lies below that of the middle finger.
        little_drop_mm: how far the base of the little finger lies below that of the middle finger.
        wrist_half_width_mm: half the breadth of the wrist.
        heel_half_width_mm: half the breadth of the palm just above the wrist.
        thenar_half_width_mm: half the breadth of the ball of the thumb.
        thumb_root_fraction: how far up the palm the thumb leaves it, as a fraction of the palm's length.
        thumb_angle_deg: angle of the thumb at rest.
        fan_deg: angle between neighbouring fingers at rest.
        nail_length_fraction: length of the nail bed divided by the width of the fingertip.
        nail_overhang_mm: how far nails stand out beyond the fingertips; seen in both views.
    """

    finger_lengths_mm: tuple[float, ...]
    finger_half_widths_mm: tuple[float, ...]
    finger_bends_deg: tuple[float, ...]
    taper: float
    joint_bulge: float
    tip_roundness: float
    joint_fraction: float
    palm_length_mm: float
    palm_breadth_mm: float
    index_drop_mm: float
    little_drop_mm: float
    wrist_half_width_mm: float
    heel_half_width_mm: float
    thenar_half_width_mm: float
    thumb_root_fraction: float
    thumb_angle_deg: float
    fan_deg: float
    nail_length_fraction: float
    nail_overhang_mm: float


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring worn in every photo of one hand."""

    side: str
    finger: int
    place_fraction: float
    width_mm: float
    color: tuple[int, int, int]
    stone_mm: float


@dataclass(frozen=True, slots=True)
class Person:
    """A synthetic person: attributes as in the table of 11k Hands and everything that stays from photo to photo.

    Attributes:
        index: the number of the person.
        age: years.
        gender: "female" or "male".
        skin_class: "very fair", "fair", "medium" or "dark".
        melanin: 0 (lightest) to 1 (darkest).
        redness: deviation of the skin's tint, about -1 to 1.
        right: outline of the right hand.
        left: outline of the left hand, in the frame of a right hand.
        ring: the ring worn, if any.
        polish: colour of the nail polish, if any.
        detail_seeds: seeds of creases, wrinkles and veins of the left and of the right hand.
    """

    index: int
    age: int
    gender: str
    skin_class: str
    melanin: float
    redness: float
    right: HandShape
    left: HandShape
    ring: Ring | None
    polish: tuple[int, int, int] | None
    detail_seeds: tuple[int, int]

    def shape(self, side: str) -> HandShape:
        """Return the outline of the hand of one side, in the frame of a right hand."""
        return self.left if side == "left" else self.right

    def detail_rng(self, side: str, view: str) -> np.random.Generator:
        """Return the generator of what is fixed for this person, hand and view: creases, wrinkles, veins."""
        return np.random.default_rng([self.detail_seeds[SIDES.index(side)], view == "palmar"])


_NUM_SHAPE_TRAITS = 4 + 3 * NUM_FINGERS + 14


def build_shape(is_female: bool, nail_overhang_mm: float, z: npt.NDArray[np.float64]) -> HandShape:
    """Turn standard normal deviations into a hand.

    Args:
        is_female: women's hands are smaller and a little narrower for their length.
        nail_overhang_mm: grooming, not anatomy: the same on both hands.
        z: (33,) deviations, N(0, 1) over the population.

    Returns:
        The outline, in the frame of a right hand.

    Reference:
        Means of the finger lengths, and their total standard deviation of about 7 %, after Chatzıoglou, Pınar and Govsa,
        Anat Cell Biol 57(2), 2024: thumb 49.5±5.5, index 63.9±4.1, middle 70.7±5.2, ring 65.5±4.8, little 53.3±4.3 mm.
        The other ranges are chosen by eye.
    """
    values = iter(np.clip(z, -2.6, 2.6).tolist())

    def take(mean: float, sd: float) -> float:
        return mean + sd * float(next(values))

    def take_log(mean: float, sd: float) -> float:
        return mean * math.exp(sd * next(values))

    size = take_log(0.965 if is_female else 1.035, 0.04)
    finger_length = take_log(size, 0.045)
    finger_width = take_log(size * (0.95 if is_female else 1.03), 0.06)
    palm_width = take_log(size * (0.98 if is_female else 1.02), 0.035)
    lengths = tuple(finger_length * take_log(mean, 0.035) for mean in _FINGER_LENGTHS_MM)
    half_widths = tuple(finger_width * take_log(mean, 0.025) for mean in _FINGER_HALF_WIDTHS_MM)
    bends = tuple(take(mean, sd) for mean, sd in ((4.0, 5.0), (2.0, 2.5), (0.0, 2.0), (-1.5, 2.2), (-4.0, 4.0)))
    return HandShape(
        finger_lengths_mm=lengths,
        finger_half_widths_mm=half_widths,
        finger_bends_deg=bends,
        taper=take(0.76 if is_female else 0.80, 0.045),
        joint_bulge=take(0.05, 0.025),
        tip_roundness=take_log(1.12 if is_female else 1.0, 0.14),
        joint_fraction=take(0.365, 0.014),
        palm_length_mm=size * take_log(99.0, 0.045),
        palm_breadth_mm=palm_width * 78.0,
        index_drop_mm=take(5.0, 1.8) * size,
        little_drop_mm=take(16.5, 2.6) * size,
        wrist_half_width_mm=palm_width * take_log(26.5, 0.05),
        heel_half_width_mm=palm_width * take_log(33.0, 0.04),
        thenar_half_width_mm=palm_width * take_log(15.0, 0.08),
        thumb_root_fraction=take(0.16, 0.035),
        thumb_angle_deg=take(36.0, 5.0),
        fan_deg=take(0.0, 1.6),
        nail_length_fraction=take(0.86, 0.08),
        nail_overhang_mm=nail_overhang_mm,
    )


def sample_person(seed: int, index: int) -> Person:
    """Sample the lasting traits of one person; the same for a seed and index, whoever else is drawn.

    Args:
        seed: seed of the population, not negative.
        index: number of the person, from 0, not negative.

    Returns:
        The person.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    is_female = bool(rng.random() < 0.6)
    age = int(rng.integers(19, 26)) if rng.random() < 0.9 else int(rng.integers(26, 76))
    skin = int(rng.choice(len(_SKIN_CLASSES), p=_SKIN_SHARES))
    z_right, z_other = rng.standard_normal((2, _NUM_SHAPE_TRAITS))
    z_left = _SIDE_CORRELATION * z_right + np.sqrt(1.0 - _SIDE_CORRELATION**2) * z_other
    ring = None
    if rng.random() < 0.25:
        ring = Ring(
            side=SIDES[int(rng.integers(2))],
            finger=int(rng.choice([1, 2, 3, 4], p=[0.15, 0.25, 0.5, 0.1])),
            place_fraction=float(rng.uniform(0.1, 0.2)),
            width_mm=float(rng.uniform(2.2, 5.0)),
            color=_RING_COLORS[int(rng.integers(len(_RING_COLORS)))],
            stone_mm=float(rng.uniform(4.0, 8.0)) if is_female and rng.random() < 0.4 else 0.0,
        )
    polish = _POLISH_COLORS[int(rng.integers(len(_POLISH_COLORS)))] if is_female and rng.random() < 0.17 else None
    overhang_mm = float(rng.uniform(0.5, 5.0) if is_female and rng.random() < 0.5 else rng.uniform(0.0, 1.2))
    return Person(
        index=index,
        age=age,
        gender="female" if is_female else "male",
        skin_class=_SKIN_CLASSES[skin],
        melanin=float(rng.uniform(*_SKIN_MELANIN[skin])),
        redness=float(np.clip(rng.normal(0.0, 0.5), -1.2, 1.2)),
        right=build_shape(is_female, overhang_mm, z_right),
        left=build_shape(is_female, overhang_mm, z_left),
        ring=ring,
        polish=polish,
        detail_seeds=(int(rng.integers(2**31)), int(rng.integers(2**31))),
    )
