"""The crop warped onto a mean hand: a moved mean hand is only moved, and a bent finger comes to lie where a straight one does."""

import numpy as np
import tensorflow as tf

from handnet.images.hand.warped_crop import MEAN_HAND, crop_warped, weigh_landmarks
from tests.images.hand.test_landmark_mask import DRAWING, SKIN, paint

SIZE_PX = 64


def find_places(landmarks):
    """Return where the crop's pixels lie in the photo, (S, S, 2)."""
    return (weigh_landmarks(SIZE_PX) @ landmarks).reshape(SIZE_PX, SIZE_PX, 2)


def test_a_mean_hand_that_is_moved_turned_and_scaled_is_only_that():
    turn = 90.0 * np.array([[0.8, -0.6], [0.6, 0.8]])
    places = find_places(np.array(MEAN_HAND) @ turn.T + (40.0, 70.0))
    steps = (np.arange(SIZE_PX) + 0.5) / SIZE_PX
    pixels = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1)
    np.testing.assert_allclose(places, pixels @ turn.T + (40.0, 70.0), atol=1e-6)


def test_a_bent_finger_comes_to_lie_where_the_mean_hand_has_it():
    landmarks = 300.0 * np.array(MEAN_HAND)
    landmarks[20] += (20.0, 24.0)
    row, column = (int(value * SIZE_PX) for value in MEAN_HAND[20])
    moved = find_places(landmarks)[row, column] - find_places(300.0 * np.array(MEAN_HAND))[row, column]
    # The stiff plate follows most of the way, and the thumb, far from there, not at all.
    assert np.linalg.norm(moved - (20.0, 24.0)) < 0.35 * np.hypot(20.0, 24.0)
    row, column = (int(value * SIZE_PX) for value in MEAN_HAND[3])
    assert np.linalg.norm(find_places(landmarks)[row, column] - landmarks[3]) < 10.0


def test_the_warped_crop_shows_the_hand_alone_on_any_ground():
    crops = [
        crop_warped(tf.constant(paint(kind)[0]), tf.constant(DRAWING), SIZE_PX).numpy() for kind in ("plain", "clutter")
    ]
    for crop in crops:
        assert crop.shape == (SIZE_PX, SIZE_PX, 3)
        assert (crop[-2:] == 255).all()
        assert np.abs(crop[int(0.7 * SIZE_PX), int(0.55 * SIZE_PX)] - SKIN).max() < 30
    assert np.abs(crops[0] - crops[1]).mean() < 8
