"""Resizing along rows, compared with TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.antialias import resize_antialiased


@pytest.mark.parametrize("size", [(12, 31), (64, 9), (1, 1), (37, 50)])
@pytest.mark.parametrize("dtype", [tf.uint8, tf.float32])
def test_pixels_are_those_of_tensorflow(size: tuple[int, int], dtype: tf.DType) -> None:
    for channels in (1, 3):
        drawn = np.random.default_rng(channels).integers(0, 256, (2, 37, 50, channels))
        images = tf.cast(drawn, dtype)
        found = resize_antialiased(images, tf.constant(size))
        assert found.dtype == tf.float32
        expected = tf.image.resize(images, size, antialias=True)
        # The same bits where both are compiled for the same processor; a sum may be rounded differently elsewhere.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
