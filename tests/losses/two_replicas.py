"""Trains with each loss on one device and on two replicas, and prints the largest difference between the weights.

A program of its own, since the logical devices must be there before TensorFlow starts. Its arguments are keys of CASES.
"""

import contextlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf

from handnet.losses import LOSSES, attach
from tests.losses.cases import draw_batch, ready_loss

CASES = {
    **{name: (name, {}) for name in LOSSES},
    "circle": ("circle", {"scale": 8.0}),
    "triplet semihard cross": ("triplet", {"mining": "semihard", "views": "cross"}),
    "triplet all both": ("triplet", {"mining": "all", "views": "both"}),
    "triplet with memory": ("triplet", {"memory_size": 10}),
    "infonce any": ("infonce", {"views": "any"}),
}
NUM_ROWS = 39  # of batches of 12: the last one gives two rows to one replica and one to the other


def train(keys, strategy, rows, labels, batch_size):
    """Train a layer for each case, all in one model: a graph takes longer than it then runs for.

    Returns:
        For each case the trained weights, those of the loss included, and the loss.
    """
    keras.utils.set_random_seed(0)
    with strategy.scope() if strategy else contextlib.nullcontext():
        inputs = keras.Input((rows.shape[1],))
        cases, outputs, y_true = [], [], []
        for place, key in enumerate(keys):
            name, options = CASES[key]
            loss, layer, own = (
                ready_loss(name, options, dim=4),
                keras.layers.Dense(4, use_bias=False),
                keras.Input((rows.shape[1],)),
            )
            if loss.consumes == "distances":
                output = keras.ops.sum(keras.ops.square(layer(own)), axis=-1, keepdims=True)
            else:
                output = attach(loss, layer(own))
            cases.append((loss, layer))
            outputs.append(keras.Model(own, output, name=f"case{place}")(inputs))
            y_true.append(labels[:, 1:] if loss.consumes == "distances" else labels)
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(0.05), loss=[loss for loss, _ in cases])
        # Else the first batch makes the optimizer's variables, and the step is traced again.
        model.optimizer.build(model.trainable_variables)
    data = tf.data.Dataset.from_tensor_slices((rows, tuple(y_true))).repeat().take(NUM_ROWS).batch(batch_size)
    history = model.fit(data, verbose=0).history
    return [
        ([*layer.get_weights(), *([] if loss.state is None else loss.state.get_weights())], history[f"case{k}_loss"][0])
        for k, (loss, layer) in enumerate(cases)
    ]


def main():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    # Takes longer than these graphs then run for.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    labels, _ = draw_batch()
    rows = np.random.default_rng(8).normal(size=(12, 5)).astype("float32")
    # Without a shuffle an identity's photos would all be on one replica, which needs no gathering.
    order = np.random.default_rng(9).permutation(12)
    rows, labels = rows[order], labels[order]
    keys, differences = sys.argv[1:], {}
    alone, together = (train(keys, devices, rows, labels, batch_size=12) for devices in (None, strategy))
    for key, (one, loss_of_one), (two, loss_of_two) in zip(keys, alone, together, strict=True):
        weights = max(float(np.abs(a - b).max()) for a, b in zip(one, two, strict=True))
        differences[key] = {"weights": weights, "loss": abs(loss_of_one - loss_of_two), "size": loss_of_one}
    print(json.dumps(differences))
