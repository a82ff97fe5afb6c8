"""The light on a hand taken out: one exposure, one white balance, no fall-off from one side to the other.

A hand alone says little of the lamp, so the mean colour of the skin goes with it. Core TensorFlow operations only.
"""

import tensorflow as tf

# Added to values of 0..255 before the logarithm, so that dark pixels do not count for most.
DARK = 4.0
# The mean logarithm of the hands of 11k Hands on white paper, red, green and blue: what every hand is brought to.
MEAN_LOG = (5.29, 5.03, 4.81)
# Covered by more than this a pixel is all hand, and no mixture with what lies behind.
_ALL_HAND = 0.9
# Holds the slopes of an empty or tiny hand.
_RIDGE = 1e-3


def even_light(crop: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    """Bring a hand to the mean colour of hands, and take out a fall-off of the light in one direction.

    In logarithms a lamp's strength and colour are a constant for each channel, and its fall-off over a hand is nearly a plane:
    both are fitted to the hand's pixels by least squares.

    Args:
        crop: (S, S, 3) float32, 0..255, what a photo shows.
        kept: (S, S, 1), 0..1, how much of each pixel is hand.

    Returns:
        (S, S, 3) float32, 0..255; without any pixel of a hand as it is.
    """
    size_px = crop.shape[0]
    logs = tf.math.log(tf.maximum(crop, 0.0) + DARK)
    weight = tf.cast(kept > _ALL_HAND, tf.float32)
    total = tf.reduce_sum(weight)
    average = lambda values: tf.reduce_sum(weight * values, [0, 1]) / tf.maximum(total, 1.0)  # noqa: E731
    steps = (tf.range(size_px, dtype=tf.float32) + 0.5) * (2.0 / size_px) - 1.0
    places = tf.stack(tf.meshgrid(steps, steps, indexing="ij"), -1)
    level = average(logs)
    y, x = tf.unstack(places - average(places), axis=-1)
    lightness = tf.reduce_mean(logs - level, -1)
    moment = lambda values: average(values[..., tf.newaxis])[0]  # noqa: E731
    yy, xy, xx = moment(y * y) + _RIDGE, moment(x * y), moment(x * x) + _RIDGE
    ly, lx = moment(lightness * y), moment(lightness * x)
    determinant = yy * xx - xy * xy
    down, right = (xx * ly - xy * lx) / determinant, (yy * lx - xy * ly) / determinant
    evened = logs - level + tf.constant(MEAN_LOG) - (down * y + right * x)[..., tf.newaxis]
    return tf.where(total > 0.0, tf.clip_by_value(tf.exp(evened) - DARK, 0.0, 255.0), crop)
