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


def is_outside_replicas() -> bool:
    """Return whether a strategy is in scope but no replica runs: Keras then infers shapes and computes nothing."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy() and tf.distribute.in_cross_replica_context()


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
    if context is None:
        return rows
    gathered = context.all_gather(rows, axis=0)
    # The gradient of all_gather takes no sparse rows, as `take` sends back; that of reshape makes them dense.
    return ops.reshape(gathered, ops.shape(gathered))


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
    """Return Σ totals / Σ counts over all replicas, divided by their number, so that the replicas add up to the mean.

    Each replica's gradient is that of its own totals: optimizers add the replicas' gradients, and the weights move as
    on one device. The value is the same on every replica, since Keras logs a mean weighted by their rows.

    Args:
        totals: (N,) or (N, T): summed losses of this replica's anchors, whose sum counts, for each of T terms.
        counts: of the same shape: how many losses were summed; no gradient flows through it.

    Returns:
        A scalar; a term without any count is 0 with zero gradient. Several terms are added.
    """
    counts = sum_over_replicas(ops.sum(counts, axis=0))
    share = ops.sum(ops.sum(totals, axis=0) * ops.divide_no_nan(ops.ones_like(counts), counts))
    if num_replicas() == 1:
        return share
    return share + ops.stop_gradient(sum_over_replicas(share) / num_replicas() - share)
