"""What a batch loss needs from tf.distribute: the rows of every replica; on one device, and on JAX, nothing at all."""

from typing import Any

import keras
from keras import ops

from handnet.losses.distances import Tensor


def replica_context() -> Any:
    """Return TensorFlow's replica context where several replicas run in step, else None.

    On JAX a program under `keras.distribution` sees the global batch anyway.
    """
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def num_replicas() -> int:
    """Return how many replicas compute the loss in step."""
    context = replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all replicas in the replicas' order, differentiably.

    Args:
        rows: (B, ...) of this replica; B may differ between replicas.
    """
    context = replica_context()
    return rows if context is None else context.all_gather(rows, axis=0)


def first_row(num_rows: Tensor) -> Tensor:
    """Return the place of this replica's first row among the gathered rows, an int32 scalar.

    Args:
        num_rows: how many rows this replica has.
    """
    context = replica_context()
    if context is None:
        return ops.zeros((), dtype="int32")
    sizes = context.all_gather(ops.reshape(ops.cast(num_rows, "int32"), (1,)), axis=0)
    replica = ops.cast(context.replica_id_in_sync_group, "int32")
    return ops.sum(ops.where(ops.arange(context.num_replicas_in_sync, dtype="int32") < replica, sizes, 0))


def sum_over_replicas(x: Tensor) -> Tensor:
    """Return the sum of every replica's `x`, without a gradient.

    Args:
        x: any shape, the same on every replica.
    """
    x = ops.stop_gradient(x)
    context = replica_context()
    return x if context is None else context.all_reduce("SUM", x)


def mean_share(totals: Tensor, counts: Tensor) -> Tensor:
    """Return this replica's share of Σ totals / Σ counts; the shares of all replicas add up to it.

    Optimizers and Keras's loss tracker both add the replicas up, so that the weights move as on one device.

    Args:
        totals: (B,) or (B, T): summed losses of each of this replica's anchors, for each of T terms.
        counts: of the same shape: how many losses were summed; no gradient flows through it.

    Returns:
        A scalar; a term without any count is 0 with zero gradient. Several terms are added.
    """
    counts = sum_over_replicas(ops.sum(counts, axis=0))
    some = counts > 0
    means = ops.where(some, ops.sum(totals, axis=0) / ops.where(some, counts, ops.ones_like(counts)), 0.0)
    return ops.sum(means)
