"""Morphology of small masks, against SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from handnet.images.hand.morphology import dilate, erode, fill_holes, find_deepest, grow

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


def test_a_seed_in_the_first_corner_spreads_down_its_column() -> None:
    mask = np.zeros((2, 5, 4, 1), np.float32)
    mask[:, :4, 0] = 1
    seed = np.zeros_like(mask)
    seed[:, 0, 0] = 1
    np.testing.assert_array_equal(grow(seed, mask), mask)


def test_depth_is_the_distance_to_the_outside() -> None:
    mask = np.zeros((1, 41, 41, 1), np.float32)
    y, x = np.mgrid[:41, :41]
    mask[0, ..., 0] = np.hypot(y - 20, x - 20) < 15
    depth, deepest = find_deepest(mask)
    assert np.argwhere(deepest[0]).tolist() == [[20, 20]]
    # An octagon instead of a circle: within a tenth, and half a pixel.
    assert float(depth[0]) == pytest.approx(ndimage.distance_transform_edt(mask[0, ..., 0]).max(), rel=0.1, abs=0.6)


@pytest.mark.parametrize("size", [(60, 45), (9, 70)])
def test_a_large_mask_is_deepest_where_the_border_is_far_from_the_outside(size: tuple[int, int]) -> None:
    masks = np.ones((4, *size, 1), np.float32)
    masks[0, 0, 0] = masks[1, :, 7] = masks[2] = 0
    depth, deepest = find_deepest(masks)
    for number in range(4):
        again, places = find_deepest(masks[number : number + 1], depth[number : number + 1])
        assert float(again[0]) == float(depth[number])
        np.testing.assert_array_equal(places[0], deepest[number])
    for number in range(2):
        expected = _peel(masks[number, ..., 0] > 0.5)
        assert float(depth[number]) == expected.max()
        np.testing.assert_array_equal(deepest[number], expected == expected.max())
    # Where there is nothing, or nothing but the mask, all places are alike.
    assert np.all(deepest[2:])
    assert [float(value) for value in depth[2:]] == [0.0, 321.0]


def _draw_masks(size: tuple[int, int]) -> list[np.ndarray]:
    """Return masks that all lack a corner: nothing, all else, speckles, and blots that touch each other and the border."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=size)
    blots = [ndimage.gaussian_filter(noise, sigma) > 0 for sigma in (1, 2, 4)]
    masks = [noise > 9, noise < 9, noise > 0.3, *blots, *(blot & (noise > -1.5) for blot in blots)]
    # Without any outside there is no distance to it.
    return [mask & (np.arange(noise.size).reshape(size) > 0) for mask in masks]


@pytest.mark.parametrize("size", [(3, 5), (37, 50), (64, 48)])
def test_regions_holes_and_depth_are_those_of_scipy(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    masks = np.stack(_draw_masks(size))[..., None]
    seeds = rng.uniform(size=masks.shape) < 0.02
    depth, deepest = find_deepest(masks.astype(np.float32))
    found = {
        "grown": grow(seeds.astype(np.float32), masks.astype(np.float32))[..., 0],
        "filled": fill_holes(masks.astype(np.float32))[..., 0],
        "deepest": deepest,
        "depth": depth,
    }
    # A depth that is known beforehand, or a part of it, saves work and changes nothing.
    for known in (np.asarray(depth), np.maximum(depth - 5.0, 0.0)):
        for number, mask in enumerate(masks.astype(np.float32)):
            again, places = find_deepest(mask[None], known[number : number + 1])
            assert float(again[0]) == float(depth[number])
            np.testing.assert_array_equal(places[0], deepest[number])
    for number, (mask, seed) in enumerate(zip(masks[..., 0], seeds[..., 0], strict=True)):
        depth = _peel(mask)
        expected = {
            "grown": ndimage.binary_propagation(seed & mask, SQUARE, mask),
            "filled": ndimage.binary_fill_holes(mask, SQUARE),
            "deepest": depth == depth.max(),
            "depth": depth.max(),
        }
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name][number], values, err_msg=f"{name} of mask {number}")


def _peel(mask: np.ndarray) -> np.ndarray:
    """Count how often a pixel is still there when a cross and a square are worn off in turns, from outside alone."""
    depth, left = mask.astype(int), mask
    cross = ndimage.generate_binary_structure(2, 1)
    for turn in range(2 * sum(mask.shape)):
        left = ndimage.binary_erosion(left, (cross, SQUARE)[turn % 2], border_value=1)
        depth = depth + left
    return depth
