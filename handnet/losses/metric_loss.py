"""The parents of the loss classes: labels that survive Keras, and the comparison of a batch with itself."""

from typing import ClassVar, Literal

import keras
from keras import ops

from handnet.errors import ConfigError
from handnet.losses.distances import Tensor, to_float
from handnet.losses.memory import CrossBatchMemory, require_state
from handnet.losses.option_checks import check_choice
from handnet.losses.pair_masks import VIEW_MODES, Pairs, compare_labels, integer_labels
from handnet.losses.replicas import first_row, gather_rows, mean_share


class MetricLoss(keras.losses.Loss):
    """A Keras loss that gets its labels as they are and computes in float32 or better.

    `keras.losses.Loss.__call__` casts `y_true` to the loss's float type: float32 merges the identities 16777216 and
    16777217, bfloat16 merges 256 and 257.

    Attributes:
        consumes: what `y_pred` is: "embeddings" (B, D), or the "distances" (B, 1) of a twin network's pairs.
        needs_classes: whether the option `num_classes` (the number of training identities) must be given.
        state: the layer with the loss's own variables (see `attach`), or None.
    """

    consumes: ClassVar[Literal["embeddings", "distances"]] = "embeddings"
    needs_classes: ClassVar[bool] = False
    state: keras.layers.Layer | None = None

    def __init__(self, name: str):
        super().__init__(name=name, reduction=None, dtype="float32")

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the scalar loss.

        Args:
            y_true: int32 (B, 2) = [identity, view]; for distances (B,) or (B, 1), 1 = same person.
            y_pred: embeddings (B, D) or distances (B, 1), any float type.
            sample_weight: must be None.

        Raises:
            ConfigError: sample weights, or labels of another kind.
        """
        if sample_weight is not None:
            raise ConfigError("Sample weights have no meaning for a loss on pairs: leave `sample_weight` out.")
        with keras.name_scope(self.name):
            return self.call(y_true, to_float(y_pred))


def attach(loss: MetricLoss, embeddings: Tensor) -> Tensor:
    """Return the embeddings as they are, after adding the loss's own variables, if any, to the model being built.

    Args:
        loss: a loss of LOSSES.
        embeddings: (B, D), the symbolic output of the encoder.
    """
    return embeddings if loss.state is None else loss.state(embeddings)


class PairLoss(MetricLoss):
    """A loss that compares each row of the batch with the others; a subclass gives `terms`.

    Attributes:
        state: a CrossBatchMemory whose rows are further references, or None.
    """

    state: CrossBatchMemory | None = None

    def __init__(self, views: str, name: str):
        super().__init__(name)
        self.views = check_choice("views", views, VIEW_MODES)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss over the anchors of this replica, each compared with the rows of all replicas."""
        labels = integer_labels(y_true)
        num_rows = ops.shape(labels)[0]
        own_columns = first_row(num_rows) + ops.arange(num_rows, dtype="int32")
        references, reference_labels = gather_rows(y_pred), gather_rows(labels)
        usable = None
        if self.state is not None:
            require_state(self.state, self.name)
            batch, batch_labels = references, reference_labels
            rows, row_labels, remembered = self.state.recall()
            references = ops.concatenate([batch, ops.cast(rows, batch.dtype)], axis=0)
            reference_labels = ops.concatenate([batch_labels, ops.cast(row_labels, batch_labels.dtype)], axis=0)
            usable = ops.concatenate([ops.ones_like(batch_labels[:, 0], dtype="bool"), remembered], axis=0)
            self.state.remember(batch, batch_labels)
        totals, counts = [], []
        for cross in {"any": (False,), "cross": (True,), "both": (False, True)}[self.views]:
            masks = compare_labels(labels, reference_labels, own_columns, cross, usable)
            total, count = self.terms(Pairs(y_pred, references, *masks))
            totals.append(total)
            counts.append(count)
        return mean_share(ops.concatenate(totals, axis=0), ops.concatenate(counts, axis=0))

    def terms(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Return the summed losses and their number for each anchor, or for all, both (B or 1,) or (B or 1, T).

        T terms have means of their own, which are added: see `mean_share`.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {"name": self.name, "views": self.views}
