"""Masks against exact ones, poses and crops against drawn hands, and the same result in graph and batch."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.images.hand.crop import HAND_SIZE_FRACTION, crop_hand, measure_outline, score_thumb_side
from handnet.images.hand.mask import segment_hand
from handnet.images.hand.pose import find_pose

DATA = Path(os.environ.get("HANDNET_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "hands11k-mini"
SKIN = (205.0, 150.0, 120.0)
PAPER = (250.0, 251.0, 250.0)


def paint(shape, parts):
    """Return a photo on paper with filled boxes: (top, bottom, left, right, colour)."""
    photo = np.empty((*shape, 3), np.float32)
    photo[:] = PAPER
    for top, bottom, left, right, color in parts:
        photo[top:bottom, left:right] = color
    return photo


def paint_hand(thumb_left=True, sleeve=None):
    """Return a hand of boxes: arm from the top, palm, four fingers down, thumb to one side."""
    parts = [(0, 40, 105, 135, SKIN), (35, 85, 95, 145, SKIN)]
    parts += [
        (80, end, left, left + 10, SKIN) for end, left in zip((135, 140, 134, 122), range(96, 144, 13), strict=True)
    ]
    parts.append((50, 62, 65, 96, SKIN) if thumb_left else (50, 62, 144, 175, SKIN))
    if sleeve is not None:
        parts.append((0, 14, 98, 142, sleeve))
    return paint((180, 240), parts)


def iou(a, b):
    a, b = np.asarray(a) > 0.5, np.asarray(b) > 0.5
    return (a & b).sum() / (a | b).sum()


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


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_direction_follows_a_turned_photo(turn):
    photo = np.rot90(paint_hand(), turn).copy()
    pose = find_pose(segment_hand(photo[None]))
    # Unturned the fingers point down, (y, x) = (1, 0); a quarter turn anticlockwise takes (y, x) to (-x, y).
    expected = [(1, 0), (0, 1), (-1, 0), (0, -1)][turn]
    assert float(np.dot(pose.direction[0], expected)) > np.cos(np.radians(12))


def is_thumb_right(photo):
    mask = segment_hand(np.asarray(photo, np.float32)[None])
    return float(score_thumb_side(measure_outline(mask, find_pose(mask)))) > 0


@pytest.mark.parametrize("thumb_left", [False, True])
def test_thumb_side_is_told_with_the_fingers_up(thumb_left):
    # The photo shows the fingers down: turned upright, left becomes right.
    assert is_thumb_right(paint_hand(thumb_left)) == thumb_left


def test_the_mirrored_outline_has_the_opposite_score():
    outline = np.random.default_rng(2).uniform(size=(8, 8)).astype(np.float32)
    score = float(score_thumb_side(outline))
    assert abs(score) > 0.1
    assert float(score_thumb_side(outline[:, ::-1])) == pytest.approx(-score, abs=1e-6)


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
    dataset = tf.data.Dataset.from_tensor_slices(photos).map(lambda x: crop_hand(x, 48, canonical=True))
    np.testing.assert_allclose(np.stack(list(dataset.as_numpy_iterator())), single, atol=1e-2)
    masks = tf.function(segment_hand)(photos)
    np.testing.assert_array_equal(masks[1], segment_hand(photos[1:])[0])


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
