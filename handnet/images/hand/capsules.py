"""A hand as capsules around its bones: what its 21 landmarks alone say about where it lies.

Core TensorFlow operations only.
"""

import tensorflow as tf

from handnet.images.hand.mask_rule import BONES, ENLARGEMENT
from handnet.images.hand.regions import Regions, normalise


def enclose_landmarks(landmarks: tf.Tensor) -> Regions:
    """Return the squares around landmarks (N, 21, 2), fingers up, with a margin."""
    direction = normalise(landmarks[:, 9] - landmarks[:, 0])
    across = tf.stack([direction[:, 1], -direction[:, 0]], -1)
    axes = tf.stack([direction, across], 1)
    places = tf.einsum("nkc,nac->nka", landmarks, axes)
    low, high = tf.reduce_min(places, 1), tf.reduce_max(places, 1)
    centre = tf.einsum("na,nac->nc", (low + high) / 2.0, axes)
    return Regions(centre, ENLARGEMENT * tf.maximum(tf.reduce_max(high - low, -1), 1.0), direction)


def measure_distance(landmarks: tf.Tensor, size_px: int) -> tf.Tensor:
    """Return each pixel's distance to the nearest bone, in that bone's radii.

    Args:
        landmarks: (21, 2) as (y, x), fractions of the square.
        size_px: side of the square.

    Returns:
        (size_px, size_px) float32; below 1 lies what the capsules cover.
    """
    steps = tf.range(size_px, dtype=tf.float32) / size_px
    y, x = steps[:, tf.newaxis, tf.newaxis], steps[tf.newaxis, :, tf.newaxis]
    start = tf.gather(landmarks, [bone[0] for bone in BONES])
    along = tf.gather(landmarks, [bone[1] for bone in BONES]) - start
    length = tf.maximum(tf.reduce_sum(along * along, -1), 1e-9)
    dy, dx = y - start[:, 0], x - start[:, 1]
    part = tf.clip_by_value((dy * along[:, 0] + dx * along[:, 1]) / length, 0.0, 1.0)
    distance = tf.sqrt(tf.square(dy - part * along[:, 0]) + tf.square(dx - part * along[:, 1]) + 1e-12)
    return tf.reduce_min(distance / (measure_palm_width(landmarks) * [bone[2] for bone in BONES]), -1)


def measure_rows(landmarks: tf.Tensor, size_px: int) -> tf.Tensor:
    """Return how far each row of pixels lies below the wrist, (size_px,) float32, in palm widths, for landmarks as above."""
    return (tf.range(size_px, dtype=tf.float32) / size_px - landmarks[0, 0]) / measure_palm_width(landmarks)


def measure_palm_width(landmarks: tf.Tensor) -> tf.Tensor:
    """Return the palm's width for landmarks (21, 2), in their unit, of a hand seen from the side too."""
    width = tf.norm(landmarks[5] - landmarks[17])
    # A palm is about 1.45 times as long, from wrist to middle knuckle, as it is wide.
    return tf.maximum(tf.maximum(width, tf.norm(landmarks[9] - landmarks[0]) / 1.45), 1e-3)
