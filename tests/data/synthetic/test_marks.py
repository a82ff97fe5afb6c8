"""Marks of the skin: of the back and of the palm."""

import numpy as np

from handnet.data.synthetic import sample_person
from handnet.data.synthetic.fields import compute_fields
from handnet.data.synthetic.grid import refine, sample_grid
from handnet.data.synthetic.marks import mark_dorsal, mark_palmar
from handnet.data.synthetic.placement import Placement
from handnet.data.synthetic.skeleton import pose_hand
from tests.data.synthetic.plain_photo import FLAT

PERSON = sample_person(0, 0)
HAND = pose_hand(PERSON.right, FLAT)
GRID = sample_grid(Placement(1.0, 0.0, (128.0, 10.0), 1), (0, 0, 256, 230), 1.0)
FIELDS = compute_fields(HAND, GRID)


def test_knuckles_stand_out_of_the_back() -> None:
    rng = np.random.default_rng(0)
    dark, redness, relief = mark_dorsal(PERSON, HAND, FIELDS, GRID, rng)
    x, y = refine(GRID, GRID.x), refine(GRID, GRID.y)
    (_, a), (_, b) = HAND.palm.knuckles[1], HAND.palm.carpals[1]
    knuckle = np.hypot(x - HAND.palm.knuckles[1][0], y - HAND.palm.knuckles[1][1]) < 3
    middle = np.hypot(x - HAND.palm.carpals[1][0], y - (a + b) / 2) < 3
    assert relief[knuckle].mean() > relief[middle].mean()
    assert redness[knuckle].mean() > redness[middle].mean()
    # Bicubic interpolation undershoots a little.
    assert dark.min() > -0.01
    assert dark.max() < 1


def test_the_palm_has_balls_round_a_hollow_and_folds_across_its_fingers() -> None:
    rng = np.random.default_rng(0)
    dark, _, relief = mark_palmar(HAND, FIELDS, GRID, rng)
    x, y = refine(GRID, GRID.x), refine(GRID, GRID.y)
    length, breadth = HAND.shape.palm_length_mm, HAND.shape.palm_breadth_mm
    ball = np.hypot(x - 0.30 * breadth, y - 0.34 * length) < 3
    hollow = np.hypot(x - 0.04 * breadth, y - 0.60 * length) < 3
    assert relief[ball].mean() > relief[hollow].mean()
    on_finger = FIELDS.owner == 2
    first = HAND.digits[2].joint_stations_mm[0]
    fold = on_finger & (np.abs(FIELDS.along_mm - first) < 1)
    between = on_finger & (np.abs(FIELDS.along_mm - first / 2) < 1)
    assert dark[fold].mean() > 3 * dark[between].mean()


def test_marks_are_those_of_their_seed() -> None:
    first, again, other = (mark_palmar(HAND, FIELDS, GRID, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
