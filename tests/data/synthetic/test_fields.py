"""The fields of a posed hand on a grid."""

from dataclasses import replace

import numpy as np

from handnet.data.synthetic import sample_person
from handnet.data.synthetic.fields import compute_fields
from handnet.data.synthetic.grid import refine, sample_grid
from handnet.data.synthetic.placement import Placement
from handnet.data.synthetic.skeleton import pose_hand
from tests.data.synthetic.plain_photo import FLAT


def test_each_finger_owns_its_points_and_is_highest_along_its_bone() -> None:
    hand = pose_hand(replace(sample_person(0, 0).right, fan_deg=4.0), FLAT)
    grid = sample_grid(Placement(1.0, 0.0, (128.0, 10.0), 1), (0, 0, 256, 230), 1.0)
    fields = compute_fields(hand, grid)
    assert set(np.unique(fields.owner)) == {-1, 0, 1, 2, 3, 4}
    x, y = refine(grid, grid.x), refine(grid, grid.y)
    for finger, digit in enumerate(hand.digits):
        on = (fields.owner == finger) & (fields.distance_mm < 0)
        assert on.any()
        # The middle of the last bone lies inside the finger and belongs to it.
        (ax, ay), (bx, by) = digit.joints[-2:]
        row, column = np.unravel_index(np.argmin(np.hypot(x - (ax + bx) / 2, y - (ay + by) / 2)), x.shape)
        assert fields.owner[row, column] == finger
        assert abs(fields.across_mm[row, column]) < 1.5
        edge = on & (fields.distance_mm > -1.5)
        assert fields.height_mm[row, column] > fields.height_mm[edge].mean()
    outside = fields.distance_mm > 1.0
    assert (fields.height_mm[outside] == 0).all()


def test_the_distance_is_that_to_the_outline() -> None:
    hand = pose_hand(sample_person(0, 1).right, FLAT)
    grid = sample_grid(Placement(1.0, 0.0, (128.0, 10.0), 1), (0, 0, 256, 230), 1.0)
    distance = compute_fields(hand, grid).distance_mm
    down, across = np.gradient(distance, grid.step_mm)
    steepness = np.hypot(down, across)[(distance > 0.5) & (distance < 8.0)]
    # Rounding where fingers meet the palm makes it flatter there, never much steeper.
    assert 0.8 < np.median(steepness) < 1.05
