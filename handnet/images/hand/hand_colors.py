"""The colours of one hand against those around it in the same photo: no colour of skin is known beforehand.

Core TensorFlow operations only.
"""

import tensorflow as tf

from handnet.images.hand.guided_filter import invert_symmetric
from handnet.images.hand.mask_rule import COLOR_CELLS, COLOR_LIMIT


def measure_colors(picture: tf.Tensor, core: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return how far each pixel's colour is from those of the hand, along each axis of colour and altogether.

    The colours of the hand are a normal distribution of lightness and two ratios of channels, in logarithms, fitted to its core
    twice: the second time without what is strange itself, e.g. rings.

    Args:
        picture: (1, S, S, 3), 0..1.
        core: (1, S, S, 1), 1 where there is surely hand, else 0.

    Returns:
        Differences from the mean, (1, S, S, 3), and squared deviations, (1, S, S, 1), float32.
    """
    logs = tf.math.log(picture + 0.03)
    red, green, blue = tf.unstack(logs, axis=-1)
    colors = tf.stack([tf.reduce_mean(logs, -1), red - green, green - blue], -1)

    def fit(weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.maximum(tf.reduce_sum(weight), 1.0)
        away = colors - tf.reduce_sum(weight * colors, [1, 2], keepdims=True) / total
        x, y, z = tf.unstack(away, axis=-1)
        products = tf.stack([x * x, x * y, x * z, y * y, y * z, z * z], -1)
        spread = tf.reduce_sum(weight * products, [0, 1, 2]) / total
        # A hand in even light still varies by so much.
        inverse = invert_symmetric(1.3 * spread + tf.constant([5e-3, 0.0, 0.0, 8e-4, 0.0, 8e-4]))
        return away, tf.reduce_sum(tf.matmul(away, inverse) * away, -1, keepdims=True)

    return fit(core * tf.cast(fit(core)[1] < 9.0, tf.float32))


def number_colors(picture: tf.Tensor) -> tf.Tensor:
    """Return the number of each pixel's cell of colour, (1, S, S) int32, for (1, S, S, 3) in 0..1."""
    parts = tf.cast(tf.clip_by_value(tf.sqrt(picture) * COLOR_CELLS, 0.0, COLOR_CELLS - 1.0), tf.int32)
    return (parts[..., 0] * COLOR_CELLS + parts[..., 1]) * COLOR_CELLS + parts[..., 2]


def compare_colors(cells: tf.Tensor, hand: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Return for each pixel the logarithm of how much more usual its colour is in the hand, (1, S, S, 1), bounded."""
    flat = tf.reshape(cells, (-1,))
    logs = []
    for members in (hand, other):
        counts = tf.math.unsorted_segment_sum(tf.reshape(members, (-1,)), flat, COLOR_CELLS**3)
        cube = tf.reshape(counts, (1, COLOR_CELLS, COLOR_CELLS, COLOR_CELLS, 1))
        # Near colours count too.
        for _ in range(2):
            cube = tf.nn.avg_pool3d(cube, 3, 1, "SAME")
        share = tf.reshape(cube, (-1,)) / tf.maximum(tf.reduce_sum(cube), 1e-6)
        logs.append(tf.math.log(share + 2e-4))
    ratio = tf.gather(logs[0] - logs[1], cells)[..., tf.newaxis]
    return tf.clip_by_value(ratio, -COLOR_LIMIT, COLOR_LIMIT)
