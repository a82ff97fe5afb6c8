"""Morphology of small masks, against SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from handnet.images.hand.morphology import dilate, erode, fill_holes, grow, measure_depth

MASKS = (np.random.default_rng(0).uniform(size=(2, 24, 30, 1)) < 0.6).astype(np.float32)
SQUARE = np.ones((3, 3))


@pytest.mark.parametrize("steps", [1, 3])
def test_masks_grow_and_shrink_in_eight_directions(steps: int) -> None:
    # Beyond the border of the picture nothing grows inwards and nothing is worn away.
    for mask, grown, shrunk in zip(MASKS > 0.5, dilate(MASKS, steps), erode(MASKS, steps), strict=True):
        expected = ndimage.binary_dilation(mask[..., 0], SQUARE, steps)
        np.testing.assert_array_equal(grown[..., 0] > 0.5, expected)
        expected = ndimage.binary_erosion(mask[..., 0], SQUARE, steps, border_value=1)
        np.testing.assert_array_equal(shrunk[..., 0] > 0.5, expected)


def test_a_seed_spreads_over_its_own_region_alone_and_holes_are_filled() -> None:
    mask = np.zeros((1, 12, 20, 1), np.float32)
    mask[0, 2:9, 2:9] = 1
    mask[0, 4:6, 4:6] = 0
    mask[0, 2:9, 12:18] = 1
    seed = np.zeros_like(mask)
    seed[0, 2, 2] = 1
    grown = np.asarray(grow(seed, mask))
    np.testing.assert_array_equal(grown[0, :, :10], mask[0, :, :10])
    assert not grown[0, :, 10:].any()
    filled = np.asarray(fill_holes(mask))
    assert filled[0, 2:9, 2:9].all()
    assert filled.sum() == mask.sum() + 4


def test_depth_is_the_distance_to_the_outside() -> None:
    mask = np.zeros((1, 41, 41, 1), np.float32)
    y, x = np.mgrid[:41, :41]
    mask[0, ..., 0] = np.hypot(y - 20, x - 20) < 15
    depth = np.asarray(measure_depth(mask))[0, ..., 0]
    true = ndimage.distance_transform_edt(mask[0, ..., 0])
    assert depth.argmax() == 20 * 41 + 20
    inside = mask[0, ..., 0] > 0
    # An octagon instead of a circle: within a tenth, and half a pixel.
    assert np.abs(depth - true)[inside].max() < 0.1 * true.max() + 0.6
