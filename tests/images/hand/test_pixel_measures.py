"""What the network of the masks sees: the same for a hand of any skin in any light."""

import numpy as np
import tensorflow as tf

from handnet.images.hand.capsules import enclose_landmarks, measure_distance, measure_rows
from handnet.images.hand.pixel_measures import NUM_MEASURES, measure_pixels
from handnet.images.hand.regions import cut_regions, to_regions
from tests.images.hand.test_landmark_mask import DRAWING, paint

SIZE_PX = 96


def measure(photo):
    """Return the measures (S, S, 13) of the drawn hand and the distances (S, S) of its pixels."""
    landmarks = tf.constant(DRAWING[np.newaxis])
    region = enclose_landmarks(landmarks)
    places = to_regions(landmarks, region)[0]
    distance, below = measure_distance(places, SIZE_PX)[tf.newaxis, ..., tf.newaxis], measure_rows(places, SIZE_PX)
    picture = cut_regions(photo, region, SIZE_PX)
    return measure_pixels(picture, distance, below, tf.ones_like(distance))[0].numpy(), distance[0, ..., 0].numpy()


def test_the_measures_of_hand_and_ground_differ():
    photo, _ = paint("clutter")
    measures, distance = measure(photo)
    assert measures.shape == (SIZE_PX, SIZE_PX, NUM_MEASURES)
    hand, other = distance < 0.6, distance > 1.6
    # Differences of colour: none on the hand.
    assert np.abs(measures[hand][:, :3].mean(0)).max() < 0.05
    assert np.abs(measures[other][:, :3]).mean() > 0.5
    # Strange, usual twice, near, first mask.
    assert measures[hand][:, 3].mean() < 0.6 < 1.5 < measures[other][:, 3].mean()
    for channel in (4, 5, 6, 7):
        assert measures[other][:, channel].mean() < -0.3 < 0.3 < measures[hand][:, channel].mean()


def test_the_picture_and_the_rows_below_the_wrist_are_measured_too():
    photo, _ = paint("clutter")
    measures, _ = measure(photo)
    landmarks = tf.constant(DRAWING[np.newaxis])
    picture = cut_regions(photo, enclose_landmarks(landmarks), SIZE_PX)[0]
    np.testing.assert_allclose(measures[..., 9:12], 2 * picture - 1, atol=1e-6)
    # The drawing is upright: its square's rows are the photo's. The wrist lies at 230, the palm is 80 wide.
    region = enclose_landmarks(landmarks)
    side, width = float(region.side[0]), np.linalg.norm(DRAWING[5] - DRAWING[17])
    rows = float(region.centre[0, 0]) + (np.arange(SIZE_PX) / SIZE_PX - 0.5) * side
    np.testing.assert_allclose(measures[:, 0, 12], np.clip((rows - 230) / width, -2, 1), atol=0.15)


def test_another_skin_in_another_light_measures_the_same():
    photo, _ = paint("plain")
    other = np.round(photo * np.array([0.62, 0.5, 0.55])).astype(np.uint8)
    first, second = (measure(one)[0][..., :9] for one in (photo, other))
    assert np.abs(first - second).mean() < 0.05
