"""What an altered photo keeps and what it loses, on a hand of boxes."""

import numpy as np
import tensorflow as tf

from handnet.evaluation.alterations import (
    cut_placed_wrist,
    cut_wrist,
    keep_background,
    keep_grey,
    keep_ground,
    keep_silhouette,
)
from handnet.images.hand.landmark_mask import segment_by_landmarks
from tests.images.hand.boxes import SKIN, paint_hand
from tests.images.hand.test_landmark_mask import DRAWING, paint


def test_kept_background_has_no_pixel_of_the_hand():
    photo = paint_hand(sleeve=(20.0, 20.0, 25.0))
    kept = keep_background(photo[None])[0].numpy()
    assert kept.min() >= 240.0
    assert np.array_equal(kept[170:, :20], photo[170:, :20])


def test_altered_photos_keep_what_they_say():
    photo = paint_hand()
    assert set(np.unique(keep_silhouette(photo[None]))) == {0.0, 255.0}
    # 0.2989 · 205 + 0.5870 · 150 + 0.1140 · 120 = 163.0045
    np.testing.assert_allclose(keep_grey(photo[None])[0, 60, 120], 163.0045, rtol=1e-5)
    cut = cut_wrist(photo[None])[0].numpy()
    np.testing.assert_allclose(cut[2, 120], 255.0)
    np.testing.assert_allclose(cut[120, 100], SKIN)


def test_on_any_ground_the_hand_is_that_of_the_landmarks():
    photo, mask = paint("clutter")
    placed = segment_by_landmarks(photo, tf.constant(DRAWING))
    kept = keep_ground(photo, placed, tf.constant(DRAWING)).numpy()
    # By colour nearly all of the hand is left there, and nearly all of the ground is gone.
    assert (kept[mask] == 255.0).all()
    corners = np.r_[0:40], np.r_[0:40]
    np.testing.assert_array_equal(kept[np.ix_(*corners)], photo[np.ix_(*corners)])
    cut = cut_placed_wrist(photo, placed).numpy()
    # Straight below the heel of the hand all is painted, above it nothing.
    assert (cut[-20:, 80:160] == 255.0).all()
    np.testing.assert_array_equal(cut[:180], photo[:180])
