"""The crop laid by the palm: landmarks of a moved, turned, scaled and mirrored palm come to lie on the mean palm."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.hand.mean_palm import MEAN_PALM, PALM
from handnet.images.hand.palm_crop import crop_by_palm, lay_on_palm

SIZE_PX = 100


def place_palm(angle: float, scale_px: float, mirrored: bool) -> np.ndarray:
    """Return 21 landmarks whose palm is the mean palm, moved into a photo; the other landmarks lie on the wrist."""
    palm = np.array(MEAN_PALM) - 0.5
    if mirrored:
        palm = palm * (1.0, -1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    palm = scale_px * palm @ turn.T + (150.0, 200.0)
    landmarks = np.repeat(palm[:1], 21, axis=0)
    landmarks[list(PALM)] = palm
    return landmarks.astype(np.float32)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("angle", "scale_px"), [(0.0, 100.0), (0.8, 80.0), (-2.5, 240.0)])
def test_the_palm_comes_to_lie_on_the_mean_palm(angle: float, scale_px: float, mirrored: bool) -> None:
    landmarks = place_palm(angle, scale_px, mirrored)
    points, step_px, wrist = lay_on_palm(tf.constant(landmarks), SIZE_PX)
    for place, landmark in zip(MEAN_PALM, landmarks[list(PALM)], strict=True):
        # Pixel n has its middle at (n + 0.5) / S; between two pixels the photo's place is between theirs.
        row, column = (value * SIZE_PX - 0.5 for value in place)
        low = points.numpy()[int(row), int(column)]
        high = points.numpy()[int(row) + 1, int(column) + 1]
        assert np.linalg.norm((low + high) / 2 - landmark) < 1.5 * step_px
    assert float(step_px) == pytest.approx(scale_px / SIZE_PX, rel=1e-4)
    assert float(wrist) == pytest.approx(MEAN_PALM[0][0], abs=1e-4)


def test_the_picture_is_the_background_away_from_the_hand_and_below_the_wrist() -> None:
    landmarks = place_palm(0.3, 120.0, mirrored=False)
    photo = np.full((300, 400, 3), 90, np.uint8)
    crop = crop_by_palm(tf.constant(photo), tf.constant(landmarks), SIZE_PX, background=7.0).numpy()
    assert crop.shape == (SIZE_PX, SIZE_PX, 3)
    np.testing.assert_allclose(crop[0], 7.0, atol=1e-3)
    middle = np.mean(MEAN_PALM, axis=0) * SIZE_PX
    np.testing.assert_allclose(crop[int(middle[0]), int(middle[1])], 90.0, atol=1e-3)
