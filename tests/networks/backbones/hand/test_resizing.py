"""Pictures brought to another size inside a network."""

import numpy as np
import tensorflow as tf

from handnet.networks.backbones.hand.resizing import Resize


def test_pictures_are_resized_as_tensorflow_does_with_antialiasing() -> None:
    images = np.random.default_rng(0).uniform(0, 255, (2, 24, 24, 3)).astype(np.float32)
    expected = tf.image.resize(images, (10, 10), antialias=True).numpy()
    np.testing.assert_allclose(np.asarray(Resize(10)(images)), expected, atol=1e-2)


def test_the_layer_comes_back_from_its_options() -> None:
    layer = Resize.from_config(Resize(10).get_config())
    assert layer.compute_output_shape((None, 24, 24, 3)) == (None, 10, 10, 3)
    assert layer(np.zeros((1, 24, 24, 3), np.float32)).shape == (1, 10, 10, 3)
