"""Left or right, back or palm: from the landmarks and the features of the network that found them.

The thumb's side follows from the landmarks. The view is a linear rule on the network's 1,152 pooled features, one for hands
with the thumb on the left and one for the right: ridge regression on photos of 11k Hands and their mirror images
(benchmarks/side_and_view.py). Thumb and view together say which hand it is.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

WEIGHTS_FILE = Path(__file__).with_name("side_and_view.npz")
NUM_FEATURES = 1152
WRIST, INDEX_KNUCKLE, LITTLE_KNUCKLE = 0, 5, 17


class ViewRule(NamedTuple):
    """A linear rule for each thumb side, left and right; the logit of "palm" is `features @ weights[side] + bias[side]`.

    Attributes:
        weights: (2, 1152) float32.
        bias: (2,) float32.
    """

    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@cache
def read_view_rule() -> ViewRule:
    """Read the rule that comes with handnet."""
    with np.load(WEIGHTS_FILE, allow_pickle=False) as file:
        return ViewRule(file["weights"].astype(np.float32), file["bias"].astype(np.float32))


def find_thumb_side(landmarks: tf.Tensor) -> tf.Tensor:
    """Say whether the thumb is on the right when the fingers point up.

    Args:
        landmarks: (N, 21, 2) as (y, x), in pixels.

    Returns:
        (N,) bool: the knuckle of the index finger lies to the right of that of the little finger, seen from the wrist.
    """
    index, little = (landmarks[:, k] - landmarks[:, WRIST] for k in (INDEX_KNUCKLE, LITTLE_KNUCKLE))
    return index[:, 1] * little[:, 0] < index[:, 0] * little[:, 1]


def score_view(features: tf.Tensor, thumb_right: tf.Tensor) -> tf.Tensor:
    """Return the probability that the palm is seen.

    Args:
        features: (N, 1152) of the network that finds the landmarks.
        thumb_right: (N,) bool, from `find_thumb_side`.

    Returns:
        (N,) float32, 0..1.
    """
    rule = read_view_rule()
    logits = tf.matmul(features, rule.weights, transpose_b=True) + rule.bias
    return tf.sigmoid(tf.where(thumb_right, logits[:, 1], logits[:, 0]))
