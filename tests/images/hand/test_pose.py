"""Where a hand lies and which way it points, from its outline."""

import numpy as np
import pytest

from handnet.images.hand.mask import segment_hand
from handnet.images.hand.pose import find_pose
from tests.images.hand.boxes import paint_hand


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_direction_follows_a_turned_photo(turn):
    photo = np.rot90(paint_hand(), turn).copy()
    pose = find_pose(segment_hand(photo[None]))
    # Unturned the fingers point down, (y, x) = (1, 0); a quarter turn anticlockwise takes (y, x) to (-x, y).
    expected = [(1, 0), (0, 1), (-1, 0), (0, -1)][turn]
    assert float(np.dot(pose.direction[0], expected)) > np.cos(np.radians(12))
