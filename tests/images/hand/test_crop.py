"""Canonical crops: one size, one direction, one thumb side, the same in a graph."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.hand.crop import HAND_SIZE_FRACTION, crop_hand, measure_outline, score_thumb_side
from handnet.images.hand.mask import segment_hand
from handnet.images.hand.pose import find_pose
from tests.images.hand.boxes import iou, paint, paint_hand

DATA = Path(os.environ.get("HANDNET_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "hands11k-mini"


@tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.float32)], autograph=False)
def score_thumb(photo):
    # In a graph: operation by operation, a photo takes half a second.
    mask = segment_hand(photo[tf.newaxis])
    return score_thumb_side(measure_outline(mask, find_pose(mask)))


def is_thumb_right(photo):
    return float(score_thumb(tf.cast(photo, tf.float32))) > 0


@pytest.mark.slow
@pytest.mark.parametrize("thumb_left", [False, True])
def test_thumb_side_is_told_with_the_fingers_up(thumb_left):
    # The photo shows the fingers down: turned upright, left becomes right.
    assert is_thumb_right(paint_hand(thumb_left)) == thumb_left


def test_the_mirrored_outline_has_the_opposite_score():
    outline = np.random.default_rng(2).uniform(size=(8, 8)).astype(np.float32)
    score = float(score_thumb_side(outline))
    assert abs(score) > 0.1
    assert float(score_thumb_side(outline[:, ::-1])) == pytest.approx(-score, abs=1e-6)


@pytest.mark.slow
def test_canonical_crops_of_turned_and_mirrored_hands_agree():
    photo = paint_hand()
    crops = [
        crop_hand(np.rot90(view, turn).copy(), 64, canonical=True, mirror=True).numpy()
        for view in (photo, photo[:, ::-1])
        for turn in range(4)
    ]
    masks = [crop.min(-1) < 200 for crop in crops]
    assert all(iou(masks[0], mask) > 0.85 for mask in masks[1:])
    assert masks[0][:32].sum() < masks[0][32:].sum()  # fingers above, palm below


def test_crop_has_the_hand_at_one_size_in_the_middle_whatever_the_photo():
    photo = paint_hand()
    large = tf.image.resize(photo, (720, 960)).numpy()
    # The same hand, farther away: half the size at the top border of the photo.
    far = paint((180, 240), [])
    far[:90, 60:180] = tf.image.resize(photo, (90, 120)).numpy()
    masks = [crop_hand(p, 96).numpy().min(-1) < 200 for p in (photo, large, far)]
    for mask in masks:
        assert np.sqrt(mask.sum()) / 96 == pytest.approx(HAND_SIZE_FRACTION, rel=0.08)
        ys, _ = np.where(mask)
        assert abs((ys.min() + ys.max()) / 2 - 47.5) < 5
    assert iou(masks[0], masks[1]) > 0.9
    assert iou(masks[0], masks[2]) > 0.85


def test_background_of_a_crop_is_the_value_given():
    crop = crop_hand(paint_hand().astype(np.uint8), 64, background=128.0).numpy()
    assert crop.dtype == np.float32
    np.testing.assert_allclose(crop[:, :4], 128.0, atol=1e-3)


def test_photo_without_a_hand_gives_finite_values():
    blank = np.full((60, 80, 3), 250.0, np.float32)
    assert segment_hand(blank[None]).numpy().sum() == 0
    assert np.isfinite(crop_hand(blank, 32, canonical=True, mirror=True)).all()


@pytest.mark.slow
def test_graph_mode_in_a_map_and_batch_equal_single_photos():
    photos = np.stack([paint_hand(), paint_hand(thumb_left=False, sleeve=(20.0, 20.0, 25.0))])
    single = np.stack([crop_hand(photo, 48, canonical=True) for photo in photos])
    # As `tf.function` does with `autograph=False`.
    crop = tf.autograph.experimental.do_not_convert(lambda photo: crop_hand(photo, 48, canonical=True))
    dataset = tf.data.Dataset.from_tensor_slices(photos).map(crop)
    np.testing.assert_allclose(np.stack(list(dataset.as_numpy_iterator())), single, atol=1e-2)
    masks = tf.function(segment_hand, autograph=False)(photos)
    np.testing.assert_array_equal(masks[1], segment_hand(photos[1:])[0])


def test_the_pose_in_the_mask_and_that_of_the_crop_have_one_graph():
    spec = tf.TensorSpec((None, None, 3), tf.uint8)
    crop = tf.function(lambda photo: crop_hand(photo, 48, canonical=True), input_signature=[spec], autograph=False)
    names = [function.signature.name for function in crop.get_concrete_function().graph.as_graph_def().library.function]
    assert sum("find_pose" in name for name in names) == 1


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="hands11k-mini is not here")
def test_thumb_side_of_real_photos_agrees_with_the_table():
    from handnet.data.readers.hands11k import read_hands11k

    examples = read_hands11k(DATA).examples[::14]
    right = [is_thumb_right(tf.io.decode_jpeg(tf.io.read_file(example.path), channels=3)) for example in examples]
    # With the fingers up, the thumb of a right palm and of the back of a left hand are on the right.
    expected = [(example.view == "palmar") == (example.side == "right") for example in examples]
    assert len(expected) > 50
    assert np.mean(np.array(right) == np.array(expected)) > 0.93
