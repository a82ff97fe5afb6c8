"""The network of the masks: laid out once for training and use, small, in an exported graph the same; and what it is for."""

import numpy as np
import tensorflow as tf

from handnet.images.hand.mask_network import WEIGHTS_FILE, compute_logits, find_hand_pixels, read_weights, run_network
from handnet.images.hand.pixel_measures import NUM_MEASURES


def test_the_weights_are_small_halves_and_in_the_list():
    weights = read_weights()
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    assert 150_000 < sum(array.size for array in weights.values()) < 160_000
    assert WEIGHTS_FILE.stat().st_size < 400_000


def test_it_is_laid_out_for_use_as_for_training():
    import keras

    random = np.random.default_rng(0)
    weights = {}

    def convolve(name, values, width, side, step, bends):
        layer = keras.layers.Conv2D(width, side, step, "same", activation="relu" if bends else None)
        values = layer(values)
        arrays = [random.normal(0, 0.1, array.shape).astype(np.float16) for array in layer.get_weights()]
        layer.set_weights(arrays)
        weights.update(zip((f"{name}.kernel", f"{name}.bias"), arrays, strict=True))
        return values

    pixels = keras.Input((32, 32, NUM_MEASURES))
    network = keras.Model(pixels, compute_logits(pixels, convolve, keras.layers.UpSampling2D(interpolation="bilinear")))
    assert {name: array.shape for name, array in weights.items()} == {
        name: array.shape for name, array in read_weights().items()
    }
    seen = random.normal(size=(2, 32, 32, NUM_MEASURES)).astype(np.float32)
    np.testing.assert_allclose(run_network(tf.constant(seen), weights), network(seen), atol=1e-4)


def test_an_exported_graph_says_the_same_to_the_bit(tmp_path):
    module = tf.Module()
    spec = tf.TensorSpec((1, 32, 32, NUM_MEASURES), tf.float32)
    module.run = tf.function(find_hand_pixels, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(tmp_path))
    pixels = tf.constant(np.random.default_rng(1).normal(size=spec.shape), tf.float32)
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(loaded.run(pixels), module.run(pixels))
    assert not loaded.run.get_concrete_function().captured_inputs
