"""Computes every loss and its gradient on JAX, compiled, and trains a model on one device and on two; writes the numbers.

A program of its own, since a process has one Keras backend and the number of its devices is set before it starts. Its
arguments are the files (npz) to read and to write.
"""

import sys

import keras
import numpy as np

from handnet.losses import LOSSES, attach, build_loss
from handnet.training.batch_statistics import BatchStatistics

FITS = (("fit memory", "triplet", {"memory_size": 24}), ("fit proxies", "arcface", {"num_classes": 8}))


def compute_values(cases):
    """Yield the key, loss and gradient of each (key, name, options, y_true, y_pred, proxies)."""
    # Here, since the test trains with `fit` on TensorFlow in a process without JAX.
    import jax

    for key, name, options, y_true, y_pred, proxies in cases:
        loss = build_loss(name, {**options, **({"num_classes": len(proxies)} if LOSSES[name].needs_classes else {})})
        if LOSSES[name].needs_classes:
            loss.state.build((None, proxies.shape[1]))
            loss.state.proxies.assign(proxies)
        value, gradient = jax.jit(jax.value_and_grad(lambda x, loss=loss, y=y_true: loss(y, x)))(y_pred)
        yield key, np.asarray(value), np.asarray(gradient)


def fit(name, options):
    """Return the losses and statistics of three epochs, from weights that are the same on every backend."""
    loss = build_loss(name, options)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(32, 6)).astype("float32")
    labels = np.stack([np.arange(32) // 4, np.arange(32) % 2], axis=1).astype("int32")
    inputs = keras.Input((6,))
    outputs = keras.layers.UnitNormalization(dtype="float32")(keras.layers.Dense(8)(inputs))
    model = keras.Model(inputs, attach(loss, outputs))
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0.0, 0.4, variable.shape).astype("float32"))
    model.compile(keras.optimizers.SGD(0.1), loss=loss, metrics=[BatchStatistics()])
    history = model.fit(rows, labels, batch_size=16, epochs=3, verbose=0, shuffle=False).history
    return np.array([history["loss"], history["active_triplets"], history["mean_norm"]])


def main():
    given = np.load(sys.argv[1], allow_pickle=True)["cases"]
    results = {"backend": np.array(keras.backend.backend())}
    for key, value, gradient in compute_values(given):
        results[f"{key} loss"], results[f"{key} gradient"] = value, gradient
    for key, name, options in FITS:
        results[key] = fit(name, options)
    devices = keras.distribution.list_devices("cpu")
    results["num_devices"] = np.array(len(devices))
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    for key, name, options in FITS:
        results[f"{key} on all devices"] = fit(name, options)
    np.savez(sys.argv[2], **results)
