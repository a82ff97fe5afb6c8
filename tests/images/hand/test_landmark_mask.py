"""Masks and canonical crops from landmarks: on drawn hands with known masks, on plain and on cluttered grounds."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.images.hand.capsules import BONES, enclose_landmarks, measure_distance
from handnet.images.hand.crop import crop_hand
from handnet.images.hand.front_end import find_hands
from handnet.images.hand.hand_colors import measure_colors
from handnet.images.hand.landmark_crop import crop_by_landmarks
from handnet.images.hand.landmark_mask import segment_by_landmarks
from handnet.images.hand.regions import cut_regions, lay_points, to_regions
from handnet.images.hand_models.models import load_hand_models
from tests.hand_models import find_hand_models

# A right hand's back, fingers up: a wrist, a thumb to the left, four fingers.
DRAWING = np.array(
    [
        (230, 120),
        *((215, 95), (195, 75), (175, 62), (158, 52)),
        *((150, 92), (115, 86), (95, 83), (78, 80)),
        *((145, 114), (105, 112), (82, 111), (62, 110)),
        *((150, 134), (113, 136), (92, 137), (74, 138)),
        *((160, 152), (133, 158), (117, 161), (102, 164)),
    ],
    np.float32,
)
SHAPE = (280, 240)
SKIN = (205, 150, 120)


def draw_capsules():
    """Return the hand's mask (H, W): each bone a capsule, drawn by an explicit loop over pixels and bones."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    width = np.linalg.norm(DRAWING[5] - DRAWING[17])
    mask = np.zeros(SHAPE, bool)
    for first, second, radius in BONES:
        start, along = DRAWING[first], DRAWING[second] - DRAWING[first]
        part = np.clip(((y - start[0]) * along[0] + (x - start[1]) * along[1]) / (along @ along), 0, 1)
        mask |= np.hypot(y - start[0] - part * along[0], x - start[1] - part * along[1]) < radius * width
    return mask


def draw_ground(kind):
    random = np.random.default_rng(4)
    if kind == "plain":
        return np.full((*SHAPE, 3), 245, np.uint8)
    ground = np.zeros((*SHAPE, 3), np.uint8)
    for top in range(0, SHAPE[0], 20):
        for left in range(0, SHAPE[1], 20):
            ground[top : top + 20, left : left + 20] = random.integers(0, 256, 3)
    return ground


def paint(kind):
    """Return a photo of the drawing, skin a little uneven, and its mask."""
    mask = draw_capsules()
    skin = np.array(SKIN) + np.random.default_rng(5).normal(0, 5, (*SHAPE, 1))
    return np.where(mask[..., np.newaxis], skin, draw_ground(kind)).astype(np.uint8), mask


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_distances_are_those_of_an_explicit_loop():
    region = enclose_landmarks(tf.constant(DRAWING[np.newaxis]))
    distance = measure_distance(to_regions(tf.constant(DRAWING[np.newaxis]), region)[0], 144).numpy()
    truth = cut_regions(np.repeat(draw_capsules()[..., np.newaxis] * 255, 3, -1), region, 144)[0, ..., 0].numpy() > 0.5
    assert iou(distance < 1, truth) > 0.97


@pytest.mark.parametrize("kind", ["plain", "clutter"])
def test_the_mask_of_a_hand_on_any_ground(kind):
    photo, mask = paint(kind)
    # Landmarks are never exact: a sixth of a finger's width off.
    landmarks = DRAWING + np.random.default_rng(1).normal(0, 2, DRAWING.shape).astype(np.float32)
    placed = segment_by_landmarks(photo, tf.constant(landmarks))
    truth = cut_regions(np.repeat(mask[..., np.newaxis] * 255, 3, -1), placed.region, 144)[0, ..., 0].numpy() > 0.5
    assert set(np.unique(placed.mask)) == {0.0, 1.0}
    assert iou(placed.mask[0, ..., 0].numpy() > 0.5, truth) > 0.93


def test_what_lies_outside_the_photo_is_no_hand():
    photo, _ = paint("plain")
    # The photo ends above the wrist, whose landmark lies 30 pixels outside.
    placed = segment_by_landmarks(photo[:200], tf.constant(DRAWING))
    y = lay_points(placed.region, placed.mask.shape[1])[0, ..., 0].numpy()
    mask = placed.mask[0, ..., 0].numpy()
    assert not mask[y > 199].any()
    assert mask[(y > 190) & (y < 199)].any()


@pytest.mark.parametrize("kind", ["plain", "clutter"])
def test_a_hand_that_is_cut_off_above_its_wrist_ends_there(kind):
    photo, mask = paint(kind)
    # The wrist's landmark, and bones from it to the knuckles, lie on the ground.
    photo[195:], mask[195:] = draw_ground(kind)[195:], False
    placed = segment_by_landmarks(photo, tf.constant(DRAWING))
    y = lay_points(placed.region, placed.mask.shape[1])[0, ..., 0].numpy()
    truth = cut_regions(np.repeat(mask[..., np.newaxis] * 255, 3, -1), placed.region, 144)[0, ..., 0].numpy() > 0.5
    found = placed.mask[0, ..., 0].numpy() > 0.5
    assert found[y > 202].sum() < 0.01 * truth.sum()
    assert iou(found, truth) > 0.93


@pytest.mark.slow
def test_the_crop_is_the_same_however_the_hand_lies_and_on_whatever_ground():
    expected = None
    for kind, all_turns in (("plain", (0, 1)), ("clutter", (0, 2, 3))):
        photo, _ = paint(kind)
        for turns in all_turns:
            turned = np.rot90(photo, turns).copy()
            y, x = DRAWING.T
            height, width = SHAPE
            points = {
                0: (y, x),
                1: (width - 1 - x, y),
                2: (height - 1 - y, width - 1 - x),
                3: (x, height - 1 - y),
            }[turns]
            crop = crop_by_landmarks(turned, tf.constant(np.stack(points, -1)), 96).numpy()
            expected = crop if expected is None else expected
            assert np.abs(crop - expected).mean() < 8
    # The hand is upright in the middle: fingers above, nothing in the corners.
    assert (expected[:4] == 255).all()
    assert (expected[:, :4] == 255).all()
    assert np.abs(expected[48, 48] - SKIN).max() < 30


@pytest.mark.slow
def test_a_mirrored_hand_gives_the_same_crop():
    photo, _ = paint("clutter")
    mirrored = DRAWING * np.array([1, -1], np.float32) + np.array([0, SHAPE[1] - 1], np.float32)
    first = crop_by_landmarks(photo, tf.constant(DRAWING), 96)
    second = crop_by_landmarks(photo[:, ::-1].copy(), tf.constant(mirrored), 96)
    assert np.abs(first - second).mean() < 4
    unlike = crop_by_landmarks(photo[:, ::-1].copy(), tf.constant(mirrored), 96, mirror=False)
    assert np.abs(first - unlike).mean() > 8


@pytest.mark.slow
def test_on_a_plain_ground_both_ways_to_the_crop_agree():
    models = load_hand_models(find_hand_models())
    differences = []
    for number in range(6):
        person, random = sample_person(3, number), np.random.default_rng(number)
        photo, _ = draw_hand_with_mask(person, "dorsal", "right", random, (320, 240))
        hands = find_hands(photo, models)
        if hands.found[0]:
            by_outline = crop_hand(photo, 96, canonical=True, mirror=True)
            by_landmarks = crop_by_landmarks(photo, hands.landmarks[0], 96)
            differences.append(float(np.abs(by_outline - by_landmarks).mean()))
        if len(differences) == 3:
            break
    assert len(differences) >= 2
    # Mean over the crop of 0..255; two crops of different hands differ by about 50.
    assert np.median(differences) < 20


def test_the_colours_of_the_hand_are_no_strangers_and_others_are():
    picture = np.full((1, 40, 40, 3), (0.8, 0.6, 0.5), np.float32)
    light = np.linspace(0.7, 1.1, 40, dtype=np.float32)[:, np.newaxis, np.newaxis]
    picture = picture * light + np.random.default_rng(0).normal(0, 0.01, picture.shape).astype(np.float32)
    picture[:, 30:, 30:] = (0.5, 0.3, 0.7)
    core = np.zeros((1, 40, 40, 1), np.float32)
    core[:, 5:25, 5:35] = 1.0
    # A ring in the core is a stranger too.
    picture[:, 14:16, 15:18] = (0.9, 0.9, 0.2)
    strangeness = measure_colors(tf.constant(picture), tf.constant(core))[1][0, ..., 0].numpy()
    assert np.median(strangeness[5:14, :25]) < 5
    assert strangeness[30:, 30:].min() > 60
    assert strangeness[14:16, 15:18].min() > 60
