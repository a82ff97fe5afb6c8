"""Contrastive losses: of a twin network's pairs, and of all pairs of a batch."""

import math

from keras import ops

from handnet.errors import ConfigError
from handnet.losses.distances import Tensor, pairwise_distances, with_slopes
from handnet.losses.metric_loss import MetricLoss, PairLoss
from handnet.losses.option_checks import check_choice, check_number
from handnet.losses.pair_masks import Pairs
from handnet.losses.replicas import mean_share

FORMS = ("published", "hadsell", "linear")
AVERAGES = ("valid", "active")


def check_margin(margin: object) -> float:
    """Return the margin in units of distance; "auto" is √2.

    Two unrelated unit vectors are orthogonal, √2 apart. A larger margin asks that all different people be opposite to each
    other, which no more than two can be; it keeps pulling at pairs that are told apart already. A margin that follows
    the batch's own distances would have a collapsed network as its minimum.

    Args:
        margin: a positive number or "auto".

    Raises:
        ConfigError: it is neither.
    """
    if margin == "auto":
        return math.sqrt(2.0)
    if isinstance(margin, str):
        raise ConfigError(f'`margin` must be a positive number or "auto". Received: margin={margin!r}.')
    return check_number("margin", margin, above=0.0)


def contrastive_losses(distances: Tensor, margin: float, form: str) -> tuple[Tensor, Tensor]:
    """Return what each pair would cost as a positive and as a negative, both of the shape of the distances.

    Args:
        distances: any shape, not negative.
        margin: distance beyond which a negative costs nothing, > 0.
        form: "published" d² and max(m-d, 0)²; "hadsell" half of each; "linear" d and max(m-d, 0).

    Reference:
        Hadsell, Chopra, LeCun 2006, "Dimensionality Reduction by Learning an Invariant Mapping", equation 4. The
        published form leaves out the ½, as TensorFlow Addons does; the linear one is pytorch-metric-learning's.
    """
    short = ops.relu(margin - distances)
    if form == "linear":
        return distances, short
    scale = 0.5 if form == "hadsell" else 1.0
    return scale * ops.square(distances), scale * ops.square(short)


def contrastive_slopes(distances: Tensor, margin: float, form: str) -> tuple[Tensor | float, Tensor | float]:
    """Return the derivatives of `contrastive_losses` by the distances, where the losses are not 0.

    Args:
        distances: any shape, not negative.
        margin: distance beyond which a negative costs nothing, > 0.
        form: see `contrastive_losses`.
    """
    if form == "linear":
        return 1.0, -1.0
    scale = 1.0 if form == "hadsell" else 2.0
    return scale * distances, -scale * ops.relu(margin - distances)


class ContrastiveLoss(MetricLoss):
    """Contrastive loss of the pairs of a twin network, the mean over the pairs.

    Args:
        margin: distance beyond which a pair of two people costs nothing, > 0, or "auto" (√2, see `check_margin`).
        form: "published", "hadsell" or "linear": see `contrastive_losses`.
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    consumes = "distances"

    def __init__(self, margin: float | str = 2.0, form: str = "published", name: str = "contrastive"):
        super().__init__(name)
        self.margin = check_margin(margin)
        self.form = check_choice("form", form, FORMS)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of distances (B, 1) or (B,) whose labels are 1 for the same person and 0 for two people."""
        distances = ops.reshape(y_pred, (-1,))
        same = ops.reshape(ops.cast(y_true, distances.dtype), (-1,))
        positive, negative = contrastive_losses(distances, self.margin, self.form)
        return mean_share(same * positive + (1.0 - same) * negative, ops.ones_like(distances))

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {"name": self.name, "margin": self.margin, "form": self.form}


def sum_up(x: Tensor) -> Tensor:
    """Return the sum of all entries, (1,).

    Args:
        x: (B, M). Row by row, since a float32 that counts one by one stands still at 2²⁴.
    """
    return ops.sum(ops.sum(x, axis=1), axis=0, keepdims=True)


class BatchContrastiveLoss(PairLoss):
    """Contrastive loss of all pairs of a batch.

    Args:
        margin: distance beyond which a pair of two people costs nothing, > 0, or "auto" (√2, see `check_margin`).
        form: "published", "hadsell" or "linear": see `contrastive_losses`.
        average: "valid": the mean over all pairs, in which the many negatives outweigh the few positives; "active":
            the mean over the positives that cost anything, plus the mean over the negatives that do.
        views: "any", "cross" (only pairs of a dorsal and a palmar photo) or "both".
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(
        self,
        margin: float | str = 2.0,
        form: str = "published",
        average: str = "valid",
        views: str = "any",
        name: str = "batch_contrastive",
    ):
        super().__init__(views, name)
        self.margin = check_margin(margin)
        self.form = check_choice("form", form, FORMS)
        self.average = check_choice("average", average, AVERAGES)

    def terms(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Return the summed losses of all anchors and their number, (1,) or (1, 2)."""
        # Every pair weighs the same, and so as much as the same pair the other way round.
        distances = pairwise_distances(pairs.anchors, pairs.references, "l2", symmetric_slopes=True)
        fixed = ops.stop_gradient(distances)
        costs = contrastive_losses(fixed, self.margin, self.form)
        rates = contrastive_slopes(fixed, self.margin, self.form)
        active = ops.logical_and(pairs.positives, fixed > 0), ops.logical_and(pairs.negatives, fixed < self.margin)
        # A product with a mask takes less time than a choice; distances are finite.
        kept = [ops.cast(mask, fixed.dtype) for mask in active]
        totals = [
            with_slopes(distances, sum_up(mask * cost), mask * rate)
            for mask, cost, rate in zip(kept, costs, rates, strict=True)
        ]
        if self.average == "active":
            return ops.stack(totals, axis=1), ops.stack([sum_up(mask) for mask in kept], axis=1)
        compared = ops.logical_or(pairs.positives, pairs.negatives)
        return totals[0] + totals[1], sum_up(ops.cast(compared, fixed.dtype))

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "margin": self.margin, "form": self.form, "average": self.average}
