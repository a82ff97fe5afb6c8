"""Points at which a hand is sampled: coarse ones, refined to those of the photo."""

import numpy as np
import pytest

from handnet.data.synthetic.grid import find_part, refine, sample_grid
from handnet.data.synthetic.placement import Placement

PLACE = Placement(2.0, 0.0, (40.0, 10.0), 1)


@pytest.mark.parametrize("is_smooth", [True, False])
def test_a_plane_is_refined_to_itself(is_smooth: bool) -> None:
    grid = sample_grid(PLACE, (0, 0, 80, 60), 0.5)
    plane = 3.0 * grid.x - 2.0 * grid.y
    fine = refine(grid, plane, is_smooth)
    assert fine.shape == grid.shape
    # Steps of the coarse plane, divided by the points between.
    dx = np.diff(fine, axis=1)[5:-5, 5:-5]
    dy = np.diff(fine, axis=0)[5:-5, 5:-5]
    np.testing.assert_allclose(dx, 3.0 * grid.step_mm, atol=2e-3)
    np.testing.assert_allclose(dy, -2.0 * grid.step_mm, atol=2e-3)


def test_a_part_holds_all_points_of_its_box_and_not_many_more() -> None:
    grid = sample_grid(PLACE, (0, 0, 80, 60), 0.5)
    low, high = (-5.0, 2.0), (5.0, 9.0)
    part = find_part(grid, low, high)
    assert part is not None
    coarse, fine = part
    x, y = refine(grid, grid.x), refine(grid, grid.y)
    inside = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
    covered = np.zeros(grid.shape, bool)
    covered[fine] = True
    step = grid.factor
    assert (covered | ~inside)[step:-step, step:-step].mean() > 0.97
    assert covered.sum() < 2.0 * inside.sum()
    assert refine(grid, grid.x[coarse]).shape >= (fine[0].stop - fine[0].start, 1)
    assert find_part(grid, (1000.0, 1000.0), (1001.0, 1001.0)) is None
