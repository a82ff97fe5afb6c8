"""Anchors, decoding and merging of palms against explicit loops."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.hand.palms import SAME_PALM_IOU, Palms, decode_palms, lay_anchors, measure_overlap, merge_palms


def test_the_anchors_are_two_on_each_fine_cell_then_six_on_each_coarse_one():
    anchors = lay_anchors()
    assert anchors.shape == (2016, 2)
    # The middle of the first cell of 8 pixels of 192, its neighbour on the right, then the first cell of 16 pixels.
    np.testing.assert_allclose(anchors[[0, 1, 2]] * 192, [[4, 4], [4, 4], [4, 12]])
    np.testing.assert_allclose(anchors[[1151, 1152, 1157, 1158]] * 192, [[188, 188], [8, 8], [8, 8], [8, 24]])


def test_a_box_is_decoded_from_its_anchor():
    raw = np.zeros((1, 2016, 18), np.float32)
    # Centre 2 px to the right of the anchor and 1 px up, 20 wide, 10 high; the last key point 3 px right, 5 px down.
    raw[0, 2, :4] = 2, -1, 20, 10
    raw[0, 2, -2:] = 3, 5
    logits = np.full((1, 2016, 1), -200.0, np.float32)
    logits[0, 2] = 0.0
    palms = decode_palms(raw, logits)
    np.testing.assert_allclose(palms.box[0, 2] * 192, [3 - 5, 14 - 10, 3 + 5, 14 + 10], rtol=1e-5)
    np.testing.assert_allclose(palms.keypoints[0, 2, -1] * 192, [4 + 5, 12 + 3], rtol=1e-5)
    assert palms.score[0, 2] == 0.5
    assert palms.score[0, 0] < 1e-30


def measure_overlap_by_hand(a, b):
    height, width = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(height, 0) * max(width, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_overlap_of_boxes():
    # Two squares of side 2 that share a quarter each: 1 / (4 + 4 - 1).
    assert measure_overlap(tf.constant([0.0, 0, 2, 2]), tf.constant([1.0, 1, 3, 3])).numpy() == pytest.approx(1 / 7)
    assert measure_overlap(tf.constant([0.0, 0, 1, 1]), tf.constant([2.0, 2, 3, 3])).numpy() == 0
    assert measure_overlap(tf.constant([0.0, 0, 0, 0]), tf.constant([0.0, 0, 0, 0])).numpy() == 0


def merge_by_hand(score, box, keypoints, threshold):
    """Merge as a person would: take the best, average what overlaps with it, go on with the rest."""
    rest = [k for k in np.argsort(-score, kind="stable") if score[k] >= threshold]
    palms = []
    while rest:
        best = rest[0]
        same = [k for k in rest if measure_overlap_by_hand(box[k], box[best]) > SAME_PALM_IOU]
        rest = [k for k in rest if k not in same]
        weights = score[same] / score[same].sum()
        palms.append((score[best], weights @ box[same], np.einsum("n,nkc->kc", weights, keypoints[same])))
    return palms


@pytest.mark.parametrize("seed", range(5))
def test_merging_equals_an_explicit_loop(seed):
    random = np.random.default_rng(seed)
    corner = random.choice([0.1, 0.5, 0.7], (2, 60, 1)) + random.normal(0, 0.02, (2, 60, 2))
    box = np.concatenate([corner, corner + random.uniform(0.15, 0.25, (2, 60, 2))], -1)
    score, keypoints = random.uniform(0, 1, (2, 60)), random.uniform(0, 1, (2, 60, 7, 2))
    merged = merge_palms(Palms(*(tf.constant(v, tf.float32) for v in (score, box, keypoints))), 6, 0.5)
    for row in range(2):
        expected = merge_by_hand(score[row], box[row], keypoints[row], 0.5)[:6]
        assert len(expected) >= 3
        for k, (best, mean_box, mean_keypoints) in enumerate(expected):
            np.testing.assert_allclose(merged.score[row, k], best, rtol=1e-5)
            np.testing.assert_allclose(merged.box[row, k], mean_box, rtol=1e-4)
            np.testing.assert_allclose(merged.keypoints[row, k], mean_keypoints, rtol=1e-4)
        assert not np.any(merged.score[row, len(expected) :])


def test_nothing_found_gives_scores_of_zero_and_no_nan():
    empty = Palms(tf.zeros((1, 9)), tf.zeros((1, 9, 4)), tf.zeros((1, 9, 7, 2)))
    for values in merge_palms(empty, 2):
        assert not np.any(values)
