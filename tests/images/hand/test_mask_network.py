"""The network of the masks: small, laid out as it was trained, and in an exported graph the same."""

import numpy as np
import tensorflow as tf

from handnet.images.hand.mask_network import WEIGHTS_FILE, find_hand_pixels, read_weights, run_network
from handnet.images.hand.pixel_measures import NUM_MEASURES


def test_the_weights_are_small_halves_and_in_the_list():
    weights = read_weights()
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    assert sum(array.size for array in weights.values()) < 450_000
    assert WEIGHTS_FILE.stat().st_size < 900_000


def lay_out_in_keras(weights, pixels):
    """Return the logits by layers that know nothing of `run_network`."""
    import keras

    def convolve(name, values, step=1, activation="relu"):
        kernel, bias = (weights[f"{name}.{part}"].astype(np.float32) for part in ("kernel", "bias"))
        layer = keras.layers.Conv2D(kernel.shape[3], kernel.shape[0], step, "same", activation=activation)
        layer.build(values.shape)
        layer.set_weights([kernel, bias])
        return layer(values)

    enlarge = keras.layers.UpSampling2D(interpolation="bilinear")
    full = convolve("fine", pixels)
    half = convolve("stay0", convolve("down0", full, 2))
    quarter = convolve("stay1", convolve("down1", half, 2))
    half = convolve("join1", half + enlarge(convolve("narrow1", quarter, activation=None)))
    full = convolve("join0", full + enlarge(convolve("narrow0", half, activation=None)))
    return convolve("logit", convolve("refine", full), activation=None)


def test_it_is_laid_out_as_it_was_trained():
    random = np.random.default_rng(0)
    shapes = {"fine": (3, 5, 4), "down0": (3, 4, 6), "stay0": (3, 6, 6), "down1": (3, 6, 7), "stay1": (3, 7, 7)}
    shapes |= {"narrow1": (1, 7, 6), "join1": (3, 6, 6), "narrow0": (1, 6, 4), "join0": (3, 4, 4)}
    shapes |= {"refine": (3, 4, 4), "logit": (1, 4, 1)}
    weights = {}
    for name, (side, inputs, outputs) in shapes.items():
        weights[f"{name}.kernel"] = random.normal(0, 0.3, (side, side, inputs, outputs)).astype(np.float16)
        weights[f"{name}.bias"] = random.normal(0, 0.3, outputs).astype(np.float16)
    pixels = tf.constant(random.normal(size=(2, 16, 16, 5)), tf.float32)
    np.testing.assert_allclose(run_network(pixels, weights), lay_out_in_keras(weights, pixels), atol=1e-4)


def test_an_exported_graph_says_the_same_to_the_bit(tmp_path):
    module = tf.Module()
    spec = tf.TensorSpec((1, 32, 32, NUM_MEASURES), tf.float32)
    module.run = tf.function(find_hand_pixels, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(tmp_path))
    pixels = tf.constant(np.random.default_rng(1).normal(size=spec.shape), tf.float32)
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(loaded.run(pixels), module.run(pixels))
    assert not loaded.run.get_concrete_function().captured_inputs
