"""The forward pass of one process: Keras's own on TensorFlow, one without side effects on JAX."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from handnet.embedding.loop import Floats


def build_predict(model: keras.Model) -> Callable[[Any], Any]:
    """Return a function from a batch (B, …) of this process to the model's output (B, D), by the weights as they are then.

    On JAX `predict_on_batch` gives away the arrays of the weights, also where the optimizer's moving average holds the
    same ones; and under `keras.distribution` it takes a batch that all processes embed together, of a size that fits
    their devices. Here each process embeds what it has, on its own devices.

    Args:
        model: an encoder, a backbone or a head.
    """
    if keras.backend.backend() != "jax":
        return _predict_once(model) if hasattr(model, "distribute_strategy") else model.predict_on_batch
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    devices = jax.local_devices()[: 1 if keras.distribution.distribution() is None else None]
    mesh = Mesh(np.asarray(devices), ("batch",))
    whole, by_rows = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("batch"))

    def find_local(variable: Any) -> Any:
        # Each device has all of it, so this copies nothing.
        shards = [shard.data for shard in variable.value.addressable_shards]
        return jax.make_array_from_single_device_arrays(variable.value.shape, whole, shards)

    def predict(batch: Any) -> Floats:
        rows = np.asarray(batch)
        padding = -len(rows) % len(devices)
        filled = np.concatenate([rows, np.zeros((padding, *rows.shape[1:]), rows.dtype)]) if padding else rows
        trainable = [find_local(variable) for variable in model.trainable_variables]
        others = [find_local(variable) for variable in model.non_trainable_variables]
        return np.asarray(_compile(model)(trainable, others, jax.device_put(filled, by_rows)))[: len(rows)]

    return predict


def _predict_once(model: keras.Model) -> Callable[[Any], Any]:
    """Return Keras's own; of a model on several GPUs one that embeds on the first, since its own gives each row twice."""
    import tensorflow as tf

    strategy = model.distribute_strategy
    if strategy is None or strategy.num_replicas_in_sync == 1:
        return model.predict_on_batch
    embed = tf.function(lambda batch: model(batch, training=False))
    return lambda batch: embed(tf.convert_to_tensor(batch)).numpy()


# A training embeds after every epoch: with its encoder, or once with its backbone and then with its head.
@lru_cache(2)
def _compile(model: keras.Model) -> Callable[[list[Any], list[Any], Any], Any]:
    import jax

    return jax.jit(lambda trainable, others, batch: model.stateless_call(trainable, others, batch, training=False)[0])
