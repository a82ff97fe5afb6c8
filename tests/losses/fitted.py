"""A small model that is trained by a loss."""

import keras
import numpy as np

from handnet.losses import attach


def photos(first_identity=0):
    """Return rows (16, 6) and labels of four identities with two photos of each view."""
    rows = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")
    identity = (first_identity + np.repeat(np.arange(4), 4)).astype("int32")
    return rows, np.stack([identity, np.tile([0, 0, 1, 1], 4)], axis=1).astype("int32")


def build_model(loss, learning_rate=0.05, jit_compile=False):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    outputs = keras.layers.UnitNormalization(dtype="float32")(keras.layers.Dense(8)(inputs))
    model = keras.Model(inputs, attach(loss, outputs))
    model.compile(keras.optimizers.SGD(learning_rate), loss=loss, jit_compile=jit_compile)
    # Else the first batch makes the optimizer's variables, and the step is traced again.
    model.optimizer.build(model.trainable_variables)
    return model
