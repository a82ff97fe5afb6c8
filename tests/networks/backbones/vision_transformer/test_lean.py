"""The layer norm and the GELU of training on JAX, with their gradients, compared with Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from handnet.networks.backbones.vision_transformer.lean import lean_gelu, lean_norm

EPSILON = 1e-3
RNG = np.random.default_rng(0)
X = (3.0 * RNG.standard_normal((2, 5, 16)) + 1.0).astype(np.float32)
GAMMA, BETA = RNG.standard_normal((2, 16)).astype(np.float32)
SLOPES = RNG.standard_normal((2, 5, 16)).astype(np.float32)


def keras_norm(x, gamma, beta):
    return ops.layer_normalization(x, gamma, beta, epsilon=EPSILON)


def keras_gelu(x):
    return ops.gelu(x, approximate=False)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients by TensorFlow")
@pytest.mark.parametrize(
    ("lean", "plain", "given"),
    [
        (lambda *given: lean_norm(*given, EPSILON), keras_norm, (X, GAMMA, BETA)),
        (lean_gelu, keras_gelu, (X,)),
    ],
    ids=["norm", "gelu"],
)
def test_values_and_gradients_are_those_of_keras(lean, plain, given):
    found = []
    for function in (lean, plain):
        tensors = [tf.constant(array) for array in given]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            values = function(*tensors)
        found.append([values, *tape.gradient(values, tensors, output_gradients=tf.constant(SLOPES))])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


def test_half_precision_is_computed_in_float32():
    x = ops.cast(X, "bfloat16")
    assert lean_gelu(x).dtype == lean_norm(x, GAMMA, BETA, EPSILON).dtype == x.dtype
    rounded = ops.convert_to_numpy(ops.cast(x, "float32"))
    # One rounding: half a unit in the last of bfloat16's eight bits.
    np.testing.assert_allclose(ops.cast(lean_gelu(x), "float32"), keras_gelu(rounded), rtol=2**-8, atol=1e-6)
