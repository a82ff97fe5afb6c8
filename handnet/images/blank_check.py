"""The rule of `handnet.data.blank_rule` in the graph: whether all of a photo has one colour."""

import tensorflow as tf

from handnet.data.blank_rule import CELLS, LEAST_CONTRAST


def is_blank(photo: tf.Tensor) -> tf.Tensor:
    """Return whether a photo shows nothing: bool scalar.

    Args:
        photo: uint8 (H, W, 3).
    """
    return measure_contrast_in_graph(photo) < LEAST_CONTRAST


def measure_contrast_in_graph(photo: tf.Tensor) -> tf.Tensor:
    """Return what `handnet.data.blank_rule.measure_contrast` does: float32 scalar."""
    # Of all ways to resize this one takes bytes: a large photo is not held once more as numbers of four.
    cells = tf.image.resize(photo, (CELLS, CELLS), method="area")
    return tf.reduce_max(tf.math.reduce_std(cells, axis=(0, 1)))
