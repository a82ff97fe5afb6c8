"""Which rows of a batch may be compared with which: identity, view and self, as masks."""

from typing import NamedTuple

from keras import ops

from handnet.errors import ConfigError
from handnet.losses.distances import Tensor
from handnet.losses.replicas import is_outside_replicas

VIEW_MODES = ("any", "cross", "both")


class Pairs(NamedTuple):
    """Anchors, what they are compared with, and the two masks; a pair in neither mask takes no part.

    Attributes:
        anchors: (B, D).
        references: (M, D): the batch, the other replicas' rows and the memory.
        positives: (B, M) bool: another photo of the anchor's identity.
        negatives: (B, M) bool: a photo of another identity.
    """

    anchors: Tensor
    references: Tensor
    positives: Tensor
    negatives: Tensor


def integer_labels(y_true: Tensor) -> Tensor:
    """Return the labels as they came, once it is sure that they are integers.

    Args:
        y_true: int (B, 2) = [identity, view], view 0 dorsal and 1 palmar.

    Raises:
        ConfigError: another shape, or floats, in which identities above 2²⁴ are no longer distinct.
    """
    labels = ops.convert_to_tensor(y_true)
    dtype = str(ops.dtype(labels))
    if "int" not in dtype and is_outside_replicas():
        # Keras builds a model under MirroredStrategy on the mean of the replicas' first batches, labels included.
        labels, dtype = ops.cast(labels, "int32"), "int32"
    if "int" not in dtype:
        raise ConfigError(f"Labels must be integers: give int32 (B, 2) = [identity, view]. Received: dtype {dtype}.")
    if len(labels.shape) != 2 or labels.shape[1] != 2:
        raise ConfigError(f"Labels must be (B, 2) = [identity, view]. Received: shape {tuple(labels.shape)}.")
    return labels


def compare_labels(
    anchor_labels: Tensor, reference_labels: Tensor, own_columns: Tensor, cross: bool, usable: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the masks of positive and negative pairs, both (B, M) bool.

    Args:
        anchor_labels: int (B, 2) = [identity, view].
        reference_labels: int (M, 2).
        own_columns: int (B,): the column in which each anchor meets itself.
        cross: whether only pairs of different views take part.
        usable: (M,) bool: references that take part; None: all do.
    """
    positives = anchor_labels[:, :1] == reference_labels[None, :, 0]
    negatives = ops.logical_not(positives)
    if cross:
        compared = anchor_labels[:, 1:] != reference_labels[None, :, 1]
        if usable is not None:
            compared = ops.logical_and(compared, usable[None, :])
        return ops.logical_and(positives, compared), ops.logical_and(negatives, compared)
    columns = ops.arange(ops.shape(reference_labels)[0], dtype="int32")[None, :]
    positives = ops.logical_and(positives, columns != own_columns[:, None])
    if usable is not None:
        positives = ops.logical_and(positives, usable[None, :])
        negatives = ops.logical_and(negatives, usable[None, :])
    return positives, negatives
