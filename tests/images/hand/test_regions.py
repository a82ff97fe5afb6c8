"""Turned squares: where their points lie, and what is cut out."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.hand.palms import Palms
from handnet.images.hand.regions import (
    Regions,
    cut_regions,
    enclose_hands,
    from_regions,
    lay_closer,
    lay_whole,
    normalise,
    to_regions,
)

RANDOM = np.random.default_rng(1)


def region(y, x, side, direction):
    return Regions(
        tf.constant([[y, x]], tf.float32), tf.constant([side], tf.float32), tf.constant([direction], tf.float32)
    )


def test_corners_of_a_square_that_points_right():
    # "Up" in the square is to the right in the photo, so its upper left corner is the photo's upper right one.
    points = from_regions(tf.constant([[[0.0, 0.0], [0.0, 1.0], [0.5, 0.5]]]), region(10, 20, 8, (0, 1)))
    np.testing.assert_allclose(points[0], [[6, 24], [14, 24], [10, 20]], atol=1e-5)


def test_a_square_of_the_photo_is_the_photo():
    photo = RANDOM.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    cut = cut_regions(photo, region(16, 16, 32, (-1, 0)), 32)
    np.testing.assert_allclose(cut[0] * 255, photo, atol=1e-3)


def test_turned_squares_are_the_turned_photo():
    photo = RANDOM.integers(0, 256, (33, 33, 3)).astype(np.uint8)
    # A square around the middle of the middle pixel; its last row and column are those that repeat the border.
    for turns, direction in enumerate([(-1, 0), (0, 1), (1, 0), (0, -1)]):
        cut = cut_regions(photo, region(16, 16, 32, direction), 32)
        np.testing.assert_allclose(cut[0] * 255, np.rot90(photo, turns)[:32, :32], atol=1e-2)


def test_outside_the_border_goes_on_and_is_black_beyond_the_margin():
    photo = np.full((10, 20, 3), 200, np.uint8)
    cut = cut_regions(photo, region(5, 10, 40, (-1, 0)), 40, tf.constant(5.0))[0, ..., 0].numpy() * 255
    assert not cut[:8].any()
    assert not cut[-8:].any()
    np.testing.assert_allclose(cut[12:28, 7:33], 200, atol=1e-3)


@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (100, 100)])
def test_closer_looks_cover_the_photo_at_a_larger_scale(shape):
    size = tf.constant(shape, tf.float32)
    whole, closer = lay_whole(size), lay_closer(size)
    np.testing.assert_allclose(whole.side, [max(shape) * 4 / 3], rtol=1e-6)
    assert len(closer.side) == 10
    centres, half = closer.centre.numpy()[4:], closer.side.numpy()[4:, np.newaxis] / 2
    places = np.stack(np.meshgrid(*(np.linspace(0, side, 30) for side in shape), indexing="ij"), -1).reshape(-1, 1, 2)
    assert (np.abs(places - centres) <= half + 1e-3).all(-1).any(-1).all()
    np.testing.assert_allclose(whole.side / closer.side[-1], 2.42, atol=0.01)


def test_a_large_photo_is_shrunk_without_aliasing():
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = cut_regions(stripes, region(400, 400, 800, (-1, 0)), 64)
    assert np.abs(cut[0, 4:-4, 4:-4] - 0.5).max() < 0.05


def test_the_square_of_a_hand_is_larger_and_lies_towards_the_fingers():
    # In a picture of 100 px: box of 20 px, wrist below the middle finger's knuckle.
    keypoints = np.full((1, 1, 7, 2), 0.5, np.float32)
    keypoints[0, 0, 0], keypoints[0, 0, 2] = (0.6, 0.5), (0.4, 0.5)
    palms = Palms(tf.ones((1, 1)), tf.constant([[[0.4, 0.4, 0.6, 0.6]]]), tf.constant(keypoints))
    hand = enclose_hands(palms, region(50, 50, 100, (-1, 0)))
    np.testing.assert_allclose(hand.direction[0], [-1, 0], atol=1e-6)
    np.testing.assert_allclose(hand.centre[0], [50 - 0.5 * 20, 50], atol=1e-4)
    np.testing.assert_allclose(hand.side, [2.6 * 20], rtol=1e-5)
    turned = enclose_hands(palms, region(50, 50, 100, (0, 1)))
    np.testing.assert_allclose(turned.direction[0], [0, 1], atol=1e-6)
    np.testing.assert_allclose(turned.centre[0], [50, 50 + 0.5 * 20], atol=1e-4)


def test_no_direction_is_up_and_not_nan():
    np.testing.assert_array_equal(normalise(tf.zeros((2, 2))), [[-1, 0], [-1, 0]])


def test_there_and_back_again():
    angles = RANDOM.uniform(0, 6, 3)
    places = Regions(
        tf.constant(RANDOM.uniform(0, 99, (3, 2)), tf.float32),
        tf.constant(RANDOM.uniform(5, 50, 3), tf.float32),
        tf.constant(np.stack([np.cos(angles), np.sin(angles)], -1), tf.float32),
    )
    points = tf.constant(RANDOM.uniform(-0.5, 1.5, (3, 7, 2)), tf.float32)
    np.testing.assert_allclose(to_regions(from_regions(points, places), places), points, atol=1e-4)
