"""A hand as capsules around its bones: what its 21 landmarks alone say about where it lies.

Core TensorFlow operations only.
"""

import tensorflow as tf

from handnet.images.hand.regions import Regions, normalise

# Side of the square around the landmarks, divided by their reach.
ENLARGEMENT = 1.35
# Pairs of landmarks and the radius of the capsule between them, as a fraction of the palm's width, from the knuckle of the
# index finger to that of the little finger.
BONES = (
    *((0, knuckle, 0.26) for knuckle in (5, 9, 13, 17)),
    (5, 17, 0.20),
    (0, 1, 0.27),
    (1, 2, 0.24),
    (1, 5, 0.26),
    (2, 5, 0.16),
    (2, 3, 0.19),
    (3, 4, 0.165),
    *((first, first + 1, 0.165) for first in (5, 9, 13)),
    *((first, first + 1, 0.155) for first in (6, 10, 14)),
    *((first, first + 1, 0.145) for first in (7, 11, 15)),
    *((first, first + 1, radius) for first, radius in ((17, 0.15), (18, 0.135), (19, 0.125))),
)


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
