"""The thumb's side from landmarks, and the rule for the view."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.hand.side_and_view import NUM_FEATURES, find_thumb_side, read_view_rule, score_view


def lay_landmarks(index_x, little_x, turn=0.0):
    """Return (1, 21, 2) as (y, x): the wrist below, two knuckles above, turned about the wrist."""
    points = np.zeros((21, 2), np.float32)
    points[5], points[17] = (-10, index_x), (-8, little_x)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return tf.constant((points @ rotation.T + 50)[np.newaxis], tf.float32)


@pytest.mark.parametrize("turn", np.linspace(0, 6, 7))
def test_the_thumb_is_on_the_index_fingers_side_however_the_hand_is_turned(turn):
    assert not find_thumb_side(lay_landmarks(-4, 5, turn))[0]
    assert find_thumb_side(lay_landmarks(4, -5, turn))[0]


def test_each_thumb_side_has_its_own_rule():
    rule = read_view_rule()
    assert rule.weights.shape == (2, NUM_FEATURES)
    features = 20 * np.random.default_rng(0).normal(size=(4, NUM_FEATURES)).astype(np.float32)
    sides = np.array([False, True, True, False])
    logits = [features[k] @ rule.weights[int(side)] + rule.bias[int(side)] for k, side in enumerate(sides)]
    expected = np.where(np.array(logits) > 0, 1.0, 0.0)
    np.testing.assert_allclose(score_view(features, sides), expected, atol=1e-3)
