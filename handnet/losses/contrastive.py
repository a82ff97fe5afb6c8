"""Contrastive losses: of a twin network's pairs, and of all pairs of a batch."""

import math

from keras import ops

from handnet.errors import ConfigError
from handnet.losses.distances import Tensor, pairwise_distances, with_slopes
from handnet.losses.metric_loss import MetricLoss, PairLoss
from handnet.losses.options import check_choice, check_number
from handnet.losses.pairs import Pairs
from handnet.losses.replicas import mean_share

FORMS = ("published", "hadsell", "linear")
AVERAGES = ("valid", "active")


def check_margin(margin: object) -> float:
    """Return the margin in units of distance; "auto" is √2.

    Two unrelated unit vectors are orthogonal, √2 apart. A larger margin asks that all strangers be opposite to each
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


def contrastive_slopes(distances: Tensor, margin: float, form: str) -> tuple[Tensor, Tensor]:
    """Return the derivatives of `contrastive_losses` by the squared distances; 0 where the distance is 0.

    Args:
        distances: any shape, not negative.
        margin: distance beyond which a negative costs nothing, > 0.
        form: see `contrastive_losses`.
    """
    if form == "linear":
        half_inverse = ops.divide_no_nan(0.5 * ops.ones_like(distances), distances)
        return half_inverse, ops.where(distances < margin, -half_inverse, 0.0)
    scale = 0.5 if form == "hadsell" else 1.0
    push = ops.divide_no_nan(-scale * ops.relu(margin - distances), distances)
    return scale * ops.ones_like(distances), push


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
        """Return the summed losses and their number for each anchor, (B,) or (B, 2)."""
        squared = pairwise_distances(pairs.anchors, pairs.references, "squared_l2")
        distances = ops.sqrt(ops.stop_gradient(squared))
        positive, negative = contrastive_losses(distances, self.margin, self.form)
        pull, push = contrastive_slopes(distances, self.margin, self.form)
        if self.average == "valid":
            losses = ops.where(pairs.positives, positive, ops.where(pairs.negatives, negative, 0.0))
            slopes = ops.where(pairs.positives, pull, ops.where(pairs.negatives, push, 0.0))
            compared = ops.logical_or(pairs.positives, pairs.negatives)
            totals = with_slopes(squared, ops.sum(losses, axis=1), slopes)
            return totals, ops.sum(ops.cast(compared, distances.dtype), axis=1)
        totals, counts = [], []
        for mask, losses, slopes in ((pairs.positives, positive, pull), (pairs.negatives, negative, push)):
            losses, slopes = ops.where(mask, losses, 0.0), ops.where(mask, slopes, 0.0)
            totals.append(with_slopes(squared, ops.sum(losses, axis=1), slopes))
            counts.append(ops.sum(ops.cast(losses > 0, distances.dtype), axis=1))
        return ops.stack(totals, axis=1), ops.stack(counts, axis=1)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "margin": self.margin, "form": self.form, "average": self.average}
