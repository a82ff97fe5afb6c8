"""What an altered photo keeps and what it loses, on a hand of boxes."""

import numpy as np

from handnet.evaluation.alterations import cut_wrist, keep_background, keep_grey, keep_silhouette
from tests.images.hand.boxes import SKIN, paint_hand


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
