"""Measures of a hand's photo: each falls with what it measures, and the graph's number is the one that the words belong to."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.hand.front_end import Hands, _make_none
from handnet.images.hand.quality import (
    Measures,
    measure_facing,
    measure_quality,
    measure_sharpness,
    measure_straightness,
    rate_quality,
)
from handnet.images.hand.quality_rule import LIMITS, rate_measures
from handnet.images.hand.regions import Regions

# An open hand, fingers up, 120 pixels wide: (y, x) of 21 landmarks.
ROOTS = ((40.0, 30.0), (38.0, 50.0), (40.0, 70.0), (45.0, 88.0))
OPEN_HAND = np.array(
    [(150, 60), (130, 30), (110, 12), (90, 0), (70, -10)] + [(60 + y - 20 * k, x) for y, x in ROOTS for k in range(4)],
    np.float32,
)


def place_hand(offset=(20.0, 40.0), scale=1.0):
    landmarks = tf.constant(scale * (OPEN_HAND + np.array(offset, np.float32)))[tf.newaxis]
    world = tf.concat([landmarks, tf.zeros_like(landmarks[..., :1])], -1) / 1000.0
    one = tf.ones(1)
    region = Regions(tf.reduce_mean(landmarks, 1), 200.0 * scale * one, tf.constant([(-1.0, 0.0)]))
    values = {"landmarks": landmarks, "world": world, "score": one, "palmar": 0.9 * one, "regions": region}
    return _make_none(1)._replace(found=one > 0.0, **values)


def draw_photo(low=90, high=150, shape=(200, 200)):
    return np.random.default_rng(1).integers(low, high, (*shape, 3)).astype(np.uint8)


def measure(photo, hands: Hands):
    return {name: float(value[0]) for name, value in measure_quality(tf.constant(photo), hands)._asdict().items()}


@pytest.fixture(scope="module")
def good():
    return measure(draw_photo(), place_hand())


def test_measures_are_those_of_the_limits_in_their_order(good):
    assert list(Measures._fields) == list(LIMITS) == list(good)


def test_place_size_and_light_of_an_open_hand(good):
    assert good["brightness"] == pytest.approx(119.5 / 255, abs=0.01)
    # From index to little knuckle: 58 px, and 5 px down.
    assert good["palm_width_px"] == pytest.approx(max(np.hypot(58, 5), np.hypot(52, 10) / 1.45), abs=3)
    assert 0.15 < good["share"] < 0.5
    assert good["cut_off"] == good["overexposed"] == 0.0
    assert good["certainty"] == pytest.approx(0.9)


def test_light_and_glare(good):
    assert measure(draw_photo(0, 10), place_hand())["brightness"] < 0.05 < good["brightness"]
    assert measure(draw_photo(250, 256), place_hand())["overexposed"] == 1.0


def test_what_lies_outside_is_cut_off():
    # The upper three landmarks of three fingers and two of one, and the tip of the thumb, of the 19 above the wrist.
    assert measure(draw_photo(), place_hand((-80.0, 40.0)))["cut_off"] == pytest.approx(12 / 19)


def test_a_small_hand_in_a_large_photo(good):
    small = measure(draw_photo(), place_hand((120.0, 130.0), 0.25))
    assert small["palm_width_px"] == pytest.approx(good["palm_width_px"] / 4, rel=0.01)
    assert small["share"] == pytest.approx(good["share"] / 16, rel=0.05)


def draw_square(slope_px: int, texture: float = 0.0) -> tf.Tensor:
    """Draw a bright square with noise inside, its edges `slope_px` wide: (1, 96, 96, 1)."""
    across = np.clip((24 - np.abs(np.arange(96) - 47.5)) / slope_px + 0.5, 0, 1)
    noise = texture * np.random.default_rng(0).standard_normal((96, 96))
    return tf.constant((np.minimum.outer(across, across) * (1 + noise))[np.newaxis, ..., np.newaxis], tf.float32)


def test_sharpness_is_that_of_the_outline_and_not_of_the_skin():
    outline = np.zeros((1, 96, 96, 1), np.float32)
    outline[:, 12:84, 12:84] = 1
    outline[:, 36:60, 36:60] = 0

    def measure_edges(*options):
        return float(measure_sharpness(draw_square(*options), tf.constant(outline))[0])

    # Over 2 pixels two differences of 1, over 12 pixels twelve; a slope of 24 pixels is even over 12.
    assert measure_edges(1) == pytest.approx((2 / 12) ** 0.5, abs=0.02)
    assert measure_edges(24) < 0.22
    blurred = [measure_edges(slope_px) for slope_px in (1, 4, 8, 16)]
    assert blurred == sorted(blurred, reverse=True)
    assert measure_edges(8, 0.03) == pytest.approx(measure_edges(8), abs=0.01)
    one_color = tf.ones((1, 96, 96, 1))
    assert float(measure_sharpness(one_color, one_color)[0]) == 0.0


def test_a_bent_finger_is_not_straight():
    world = np.concatenate([OPEN_HAND, np.zeros((21, 1))], -1)[np.newaxis].astype(np.float32)
    assert float(measure_straightness(tf.constant(world))[0]) == pytest.approx(1.0)
    bent = world.copy()
    # The little finger's tip is back at its knuckle.
    bent[0, 20] = bent[0, 17]
    assert float(measure_straightness(tf.constant(bent))[0]) == pytest.approx(0.0, abs=1e-3)


def test_a_hand_turned_to_the_side_looks_narrow():
    parts = np.float32([[1.0, part] for part in (1.0, 0.3, 0.0)])
    facing = measure_facing(tf.constant(OPEN_HAND[np.newaxis] * parts[:, np.newaxis])).numpy()
    assert facing[0] == 1.0
    # Knuckles 17.4 px to the right of each other and 5 px down, a palm 52.1 px long.
    assert facing[1] == pytest.approx(1.375 * np.hypot(17.4, 5.0) / np.hypot(52.0, 3.0), abs=0.01)
    assert facing[2] < 0.2


def test_the_graphs_number_is_the_rules(good):
    for worse in ({}, {"sharpness": 0.15}, {"cut_off": 0.2}, {"overexposed": 0.9}):
        measures = good | worse
        rated = rate_quality(Measures(*(tf.constant([value]) for value in measures.values())))
        assert float(rated[0]) == pytest.approx(rate_measures(measures).quality, abs=1e-5)
