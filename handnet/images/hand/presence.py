"""Is there one hand in a photo, none, several, or one that is cut off? In the graph."""

import tensorflow as tf

from handnet.images.hand.findings import CUT_OFF, NONE, ONE, SEVERAL
from handnet.images.hand.front_end import Hands

# The wrist and the thumb's root may lie outside: many photos begin above the wrist.
FIRST_FINGER_LANDMARK = 2
# A landmark counts as cut off from this far outside the photo, as a fraction of the hand's square.
OUTSIDE_FRACTION = 0.02


def judge_finding(hands: Hands, shape: tf.Tensor) -> tf.Tensor:
    """Say what was found.

    Args:
        hands: of one photo, searched for two hands or more.
        shape: (2,) or (3,) of the photo, height first.

    Returns:
        Scalar int32, one of `handnet.images.hand.findings`; several hands go before one that is cut off.
    """
    cut_off = tf.reduce_any(find_outside(hands, shape)[:, FIRST_FINGER_LANDMARK:], -1) & hands.found
    num_found = tf.reduce_sum(tf.cast(hands.found, tf.int32))
    one = tf.where(tf.reduce_any(cut_off), CUT_OFF, ONE)
    return tf.where(num_found == 0, NONE, tf.where(num_found > 1, SEVERAL, one))


def find_outside(hands: Hands, shape: tf.Tensor, margin_fraction: float = OUTSIDE_FRACTION) -> tf.Tensor:
    """Return which landmarks of each hand lie outside the photo, (N, 21) bool.

    Args:
        hands: of one photo.
        shape: (2,) or (3,) of the photo, height first.
        margin_fraction: by so much of the hand's square and more; below 0, those count too that lie inside, near the border.
    """
    last = tf.cast(shape[:2], tf.float32) - 1.0
    margin = margin_fraction * hands.regions.side[:, tf.newaxis, tf.newaxis]
    return tf.reduce_any((hands.landmarks < -margin) | (hands.landmarks > last + margin), -1)
