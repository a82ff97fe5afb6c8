"""A rough map snapped to the edges of a picture: the guided filter.

In each small window the map is explained by the colours there, linearly: so its border moves to where the colours change, and
where they do not, it is smoothed. Core TensorFlow operations only.

Reference: He, Sun, Tang 2013, "Guided image filtering", with a guide of three colours (section 3.4); He, Sun 2015, "Fast guided
filter": how colours explain the map is found at half the size.
"""

import tensorflow as tf


def guide_by_colors(chance: tf.Tensor, picture: tf.Tensor, radius_px: int, softness: float) -> tf.Tensor:
    """Return the map, snapped to the edges of the picture.

    Args:
        chance: (B, S, S, 1) float32, the rough map; S even.
        picture: (B, S, S, 3) float32, 0..1.
        radius_px: windows reach so far to either side; even.
        softness: above 0, in squares of the picture's values: edges weaker than its root are smoothed over.

    Returns:
        (B, S, S, 1) float32, a little below 0 or above 1 here and there.
    """
    small, rough = tf.split(tf.nn.avg_pool2d(tf.concat([picture, chance], -1), 2, 2, "SAME"), (3, 1), axis=-1)
    red, green, blue = tf.unstack(small, axis=-1)
    products = tf.stack([red * red, red * green, red * blue, green * green, green * blue, blue * blue], -1)
    means = _average(tf.concat([small, rough, products, small * rough], -1), radius_px // 2)
    color, level, square, joint = tf.split(means, (3, 1, 6, 3), axis=-1)
    r, g, b = tf.unstack(color, axis=-1)
    spread = square - tf.stack([r * r, r * g, r * b, g * g, g * b, b * b], -1)
    inverse = invert_symmetric(spread + softness * tf.constant([1.0, 0.0, 0.0, 1.0, 0.0, 1.0]))
    shared = joint - color * level
    slope = tf.reduce_sum(inverse * shared[..., tf.newaxis, :], -1)
    base = level - tf.reduce_sum(slope * color, -1, keepdims=True)
    both = tf.image.resize(_average(tf.concat([slope, base], -1), radius_px // 2), picture.shape[1:3])
    slope, base = tf.split(both, (3, 1), axis=-1)
    return tf.reduce_sum(slope * picture, -1, keepdims=True) + base


def invert_symmetric(entries: tf.Tensor) -> tf.Tensor:
    """Return the inverses of symmetric 3 × 3 matrices by their cofactors: no solver in the graph.

    Args:
        entries: (…, 6), of the upper triangle row by row.

    Returns:
        (…, 3, 3).
    """
    a, b, c, d, e, f = tf.unstack(entries, axis=-1)
    first = tf.stack([d * f - e * e, c * e - b * f, b * e - c * d], -1)
    second = tf.stack([first[..., 1], a * f - c * c, b * c - a * e], -1)
    third = tf.stack([first[..., 2], second[..., 2], a * d - b * b], -1)
    determinant = tf.reduce_sum(first * tf.stack([a, b, c], -1), -1)
    return tf.stack([first, second, third], -2) / determinant[..., tf.newaxis, tf.newaxis]


def _average(values: tf.Tensor, radius_px: int) -> tf.Tensor:
    """Return means over square windows; beyond the border there is nothing."""
    side = 2 * radius_px + 1
    return tf.nn.avg_pool2d(tf.nn.avg_pool2d(values, (side, 1), 1, "SAME"), (1, side), 1, "SAME")
