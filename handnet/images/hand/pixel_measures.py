"""What speaks for hand or for ground at each pixel around a hand's landmarks: its place, its colour, and a first mask by both.

Colours are measured against this hand's own and those around it, so that neither skin nor light need be known. What lies well
inside the capsules around the bones is hand, what lies well outside is not; the colours of both, counted, say how usual each is
in the hand, and the border of the first mask is moved to the edges of the picture. Core TensorFlow operations only.
"""

import tensorflow as tf

from handnet.images.hand.guided_filter import guide_by_colors
from handnet.images.hand.hand_colors import compare_colors, measure_colors, number_colors
from handnet.images.hand.mask_rule import (
    CORE,
    EDGE_RADIUS_PX,
    EDGE_SOFTNESS,
    INSIDE,
    NEVER,
    OUTSIDE,
    PLACE_WEIGHT,
    STRANGE,
    STRANGE_LIMIT,
    STRANGE_WEIGHT,
)
from handnet.images.hand.morphology import smooth

NUM_MEASURES = 13


def measure_pixels(picture: tf.Tensor, distance: tf.Tensor, below: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
    """Return what is measured at each pixel of the square around a hand.

    Args:
        picture: (1, S, S, 3), 0..1.
        distance: (1, S, S, 1) of each pixel to the nearest bone, in that bone's radii.
        below: (S,), how far each row lies below the wrist, in palm widths.
        inside: (1, S, S, 1), 1 where the photo is, else 0.

    Returns:
        (1, S, S, 13) float32: lightness and two colours less the mean of the hand's core; how strange they are to it; how much
        more usual than around the hand, by the place and by a first mask; the distance; the first mask, by colour and place;
        whether the photo is there; red, green and blue, -1 to 1; how far below the wrist.
    """
    colors, strangeness = measure_colors(picture, tf.cast(distance < CORE, tf.float32) * inside)
    place, cells = PLACE_WEIGHT * (1.0 - distance), number_colors(picture)
    hand, other = tf.cast(distance < INSIDE, tf.float32) * inside, tf.cast(distance > OUTSIDE, tf.float32) * inside
    usual = compare_colors(cells, hand, other)
    mask = tf.cast((smooth(smooth(usual)) + place > 0.0) & (distance < NEVER), tf.float32)
    # The second time the colours are counted on what the first has found.
    hand, other = (
        mask * tf.cast(distance < 1.2, tf.float32) * inside,
        (1.0 - mask) * tf.cast(distance > 1.0, tf.float32) * inside,
    )
    usual_again = compare_colors(cells, hand, other)
    score = smooth(smooth(usual_again)) + place
    score -= STRANGE_WEIGHT * tf.clip_by_value(strangeness - STRANGE, 0.0, STRANGE_LIMIT)
    guided = guide_by_colors(tf.sigmoid(score), picture, EDGE_RADIUS_PX, EDGE_SOFTNESS)
    return tf.concat(
        [
            tf.clip_by_value(colors * tf.constant([2.0, 4.0, 4.0]), -3.0, 3.0),
            tf.sqrt(tf.clip_by_value(strangeness, 0.0, 100.0)) / 5.0,
            usual / 2.0,
            usual_again / 2.0,
            tf.clip_by_value(1.0 - distance, -1.5, 1.0),
            2.0 * guided - 1.0,
            inside,
            2.0 * picture - 1.0,
            tf.broadcast_to(tf.clip_by_value(below, -2.0, 1.0)[tf.newaxis, :, tf.newaxis, tf.newaxis], distance.shape),
        ],
        -1,
    )
