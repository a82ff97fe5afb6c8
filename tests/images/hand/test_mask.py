"""The mask of a hand on plain paper, by colour."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.images.hand.mask import segment_hand
from tests.images.hand.boxes import PAPER, iou, paint, paint_hand


def test_mask_of_boxes_is_exact_at_the_working_scale():
    photo = paint_hand()
    true = np.any(photo != np.array(PAPER, np.float32), -1)
    mask = segment_hand(photo[None])[0, ..., 0]
    assert mask.dtype == tf.float32
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert iou(mask, true) > 0.95


@pytest.mark.parametrize("sleeve", [(20.0, 20.0, 25.0), (40.0, 60.0, 140.0), (200.0, 30.0, 50.0)])
def test_sleeve_is_no_hand(sleeve):
    mask = segment_hand(paint_hand(sleeve=sleeve)[None])[0, ..., 0].numpy()
    assert mask[:10, 98:142].mean() < 0.05
    assert mask[40:80, 100:140].mean() > 0.95


def test_grey_shadow_is_no_hand():
    photo = paint_hand()
    shadow = paint((180, 240), [(60, 150, 145, 175, (205.0, 206.0, 205.0))])
    photo = np.where((photo == np.array(PAPER, np.float32)).all(-1, keepdims=True), shadow, photo)
    mask = segment_hand(photo[None])[0, ..., 0].numpy()
    assert mask[90:150, 150:175].mean() < 0.02


def test_ring_and_dark_nail_stay_in_the_hand():
    photo = paint_hand()
    photo[100:105, 109:119] = (240.0, 240.0, 240.0)
    photo[128:135, 96:106] = (60.0, 15.0, 35.0)
    mask = segment_hand(photo[None])[0, ..., 0].numpy()
    assert mask[129:134, 98:104].mean() > 0.9


@pytest.mark.slow
def test_masks_of_drawn_hands_overlap_the_true_ones():
    scores = []
    for index in range(8):
        photo, mask = draw_hand_with_mask(
            sample_person(3, index),
            view="dorsal" if index % 2 else "palmar",
            side="right",
            rng=np.random.default_rng(index),
        )[:2]
        found = segment_hand(np.asarray(photo, np.float32)[None])[0, ..., 0]
        scores.append(iou(found, np.asarray(mask).reshape(found.shape)))
    assert np.median(scores) > 0.95
