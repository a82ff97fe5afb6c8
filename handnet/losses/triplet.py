"""Triplet losses: batch-hard, semi-hard and batch-all, in memory that grows with the square of the batch."""

import math
from collections.abc import Callable

from keras import ops

from handnet.losses.contrastive import AVERAGES
from handnet.losses.distances import DISTANCES, Tensor, paired_distances, pairwise_distances, unit_rows, with_slopes
from handnet.losses.metric_loss import PairLoss
from handnet.losses.option_checks import check_choice, check_flag, check_number
from handnet.losses.pair_masks import Pairs

MININGS = ("hard", "semihard", "all")
# A visit gets each anchor's positive column, whether there is one, and its distance, all (B,), and what it returned
# before: slopes (B, M), totals (B,) and counts (B,).
Visit = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def violations(gaps: Tensor, margin: float, soft: bool) -> tuple[Tensor, Tensor]:
    """Return the loss of each triplet and its derivative by the gap.

    Args:
        gaps: distance to the positive less distance to the negative, any shape.
        margin: by how much the negative must be farther; not used by the soft form.
        soft: ln(1 + exp(gap)) in place of max(gap + margin, 0).
    """
    if soft:
        return ops.softplus(gaps), ops.sigmoid(gaps)
    losses = ops.relu(gaps + margin)
    return losses, ops.cast(losses > 0, gaps.dtype)


def hard_triplets(pairs: Pairs, distance: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return each anchor's farthest positive and nearest negative as columns, int (B,), and whether it has both.

    Args:
        pairs: the rows and masks.
        distance: "l2", "squared_l2" or "cosine".
    """
    anchors, references = ops.stop_gradient(pairs.anchors), ops.stop_gradient(pairs.references)
    # What is the same for all of an anchor's references does not change their order, and is left out.
    if distance == "cosine":
        ranks = ops.matmul(-unit_rows(anchors), ops.transpose(unit_rows(references)))
    else:
        shift = ops.mean(references, axis=0, keepdims=True)
        anchors, references = anchors - shift, references - shift
        ranks = ops.matmul(-2.0 * anchors, ops.transpose(references)) + ops.sum(ops.square(references), axis=1)
    positive_ranks = ops.where(pairs.positives, ranks, -math.inf)
    negative_ranks = ops.where(pairs.negatives, ranks, math.inf)
    valid = ops.logical_and(ops.max(positive_ranks, axis=1) > -math.inf, ops.min(negative_ranks, axis=1) < math.inf)
    return ops.argmax(positive_ranks, axis=1), ops.argmin(negative_ranks, axis=1), valid


def hard_terms(pairs: Pairs, distance: str, margin: float, soft: bool, average: str) -> tuple[Tensor, Tensor]:
    """Return the batch-hard loss of each anchor and whether it counts, both (B,).

    Only the rows mined are compared again, so that the gradient costs no (B, M) product and near-duplicates are exact.

    Args:
        pairs: the rows and masks.
        distance: "l2", "squared_l2" or "cosine".
        margin: by how much the negative must be farther.
        soft: the softplus form, without a margin.
        average: "valid": an anchor with a positive and a negative counts; "active": one whose loss is not 0 as well.

    Reference:
        Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss for Person Re-Identification", equation 5.
    """
    farthest, nearest, valid = hard_triplets(pairs, distance)
    to_positive = paired_distances(pairs.anchors, ops.take(pairs.references, farthest, axis=0), distance)
    to_negative = paired_distances(pairs.anchors, ops.take(pairs.references, nearest, axis=0), distance)
    losses, _ = violations(to_positive - to_negative, margin, soft)
    counted = ops.cast(valid, losses.dtype)
    losses = losses * counted
    return losses, counted if average == "valid" else ops.cast(losses > 0, losses.dtype)


def visit_positives(distances: Tensor, positives: Tensor, visit: Visit) -> tuple[Tensor, Tensor]:
    """Return the (totals, counts) of a sum over each anchor's positives, taken one positive of every anchor at a time.

    The sum runs on distances without a gradient; the visits add its derivative by each distance to `slopes`. No B³
    array is ever made, and the backward pass needs only (B, M).

    Args:
        distances: (B, M), with a gradient.
        positives: (B, M) bool.
        visit: adds the k-th positive of each anchor.
    """
    num_columns = ops.shape(distances)[1]
    columns = ops.arange(num_columns, dtype="int32")[None, :]
    fixed = ops.stop_gradient(distances)

    def next_column(after: Tensor) -> Tensor:
        later = ops.logical_and(positives, columns > after[:, None])
        return ops.min(ops.where(later, columns, num_columns), axis=1)

    def step(column: Tensor, slopes: Tensor, totals: Tensor, counts: Tensor) -> tuple[Tensor, ...]:
        place = ops.minimum(column, num_columns - 1)
        to_positive = ops.take_along_axis(fixed, place[:, None], axis=1)[:, 0]
        visited = visit(place, column < num_columns, to_positive, slopes, totals, counts)
        return next_column(column), *visited

    zeros = ops.zeros_like(fixed[:, 0])
    first = next_column(ops.cast(zeros, "int32") - 1)
    state = (first, ops.zeros_like(fixed), zeros, zeros)
    _, slopes, totals, counts = ops.while_loop(lambda column, *_: ops.any(column < num_columns), step, state)
    return with_slopes(distances, totals, slopes), counts


def all_terms(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float, soft: bool, average: str
) -> tuple[Tensor, Tensor]:
    """Return the batch-all loss summed over each anchor's triplets and the number of triplets, both (B,).

    Args:
        distances: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        margin: by how much the negative must be farther.
        soft: the softplus form, without a margin.
        average: "valid" counts all triplets, "active" those whose loss is not 0.

    Reference:
        Hermans, Beyer, Leibe 2017, equation 6; "active" is their BA≠0.
    """
    fixed = ops.stop_gradient(distances)
    columns = ops.arange(ops.shape(distances)[1], dtype="int32")[None, :]

    def visit(
        place: Tensor, present: Tensor, to_positive: Tensor, slopes: Tensor, totals: Tensor, counts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        used = ops.logical_and(negatives, present[:, None])
        losses, rates = violations(to_positive[:, None] - fixed, margin, soft)
        losses, rates = ops.where(used, losses, 0.0), ops.where(used, rates, 0.0)
        pull = ops.where(columns == place[:, None], ops.sum(rates, axis=1)[:, None], 0.0)
        counted = used if average == "valid" else losses > 0
        return (
            slopes + pull - rates,
            totals + ops.sum(losses, axis=1),
            counts + ops.sum(ops.cast(counted, fixed.dtype), axis=1),
        )

    return visit_positives(distances, positives, visit)


def semihard_terms(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float, soft: bool, average: str
) -> tuple[Tensor, Tensor]:
    """Return the semi-hard loss summed over each anchor's positives and the number of positives, both (B,).

    Each positive meets the nearest negative that is farther than itself, or, where none is, the farthest negative.

    Args:
        distances: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        margin: by how much the negative must be farther.
        soft: the softplus form, without a margin.
        average: "valid" counts all positives, "active" those whose loss is not 0.

    Reference:
        Schroff, Kalenichenko, Philbin 2015, "FaceNet", equation 4, with the fallback of TensorFlow Addons'
        TripletSemiHardLoss. Unlike there an anchor without any negative takes no part.
    """
    fixed = ops.stop_gradient(distances)
    columns = ops.arange(ops.shape(distances)[1], dtype="int32")[None, :]
    ranked = ops.where(negatives, fixed, -math.inf)
    farthest = ops.argmax(ranked, axis=1)
    to_farthest = ops.max(ranked, axis=1)
    has_negative = ops.any(negatives, axis=1)

    def visit(
        place: Tensor, present: Tensor, to_positive: Tensor, slopes: Tensor, totals: Tensor, counts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        used = ops.logical_and(present, has_negative)
        beyond = ops.where(ops.logical_and(negatives, fixed > to_positive[:, None]), fixed, math.inf)
        to_nearest = ops.min(beyond, axis=1)
        found = to_nearest < math.inf
        negative = ops.cast(ops.where(found, ops.argmin(beyond, axis=1), farthest), "int32")
        gaps = ops.where(used, to_positive - ops.where(found, to_nearest, to_farthest), 0.0)
        losses, rates = violations(gaps, margin, soft)
        losses, rates = ops.where(used, losses, 0.0), ops.where(used, rates, 0.0)
        pull = ops.cast(columns == place[:, None], fixed.dtype) - ops.cast(columns == negative[:, None], fixed.dtype)
        counted = used if average == "valid" else losses > 0
        return slopes + rates[:, None] * pull, totals + losses, counts + ops.cast(counted, fixed.dtype)

    return visit_positives(distances, positives, visit)


class TripletLoss(PairLoss):
    """Triplet loss: an anchor's positive must be nearer than its negative, by a margin.

    Args:
        mining: "hard" (the farthest positive and the nearest negative of each anchor), "semihard" or "all".
        margin: by how much the negative must be farther, in units of the distance, > 0; not used where `soft`.
        soft: ln(1 + exp(gap)) in place of max(gap + margin, 0).
        distance: "l2", "squared_l2" or "cosine" (one minus the cosine).
        average: "valid": the mean over all anchors (hard), anchor-positive pairs (semihard) or triplets (all);
            "active": over those that cost anything.
        views: "any", "cross" (a dorsal anchor against palmar positives and negatives, and back) or "both".
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(
        self,
        mining: str = "hard",
        margin: float = 0.5,
        soft: bool = False,
        distance: str = "l2",
        average: str = "valid",
        views: str = "any",
        name: str = "triplet",
    ):
        super().__init__(views, name)
        self.mining = check_choice("mining", mining, MININGS)
        self.margin = check_number("margin", margin, above=0.0)
        self.soft = check_flag("soft", soft)
        self.distance = check_choice("distance", distance, DISTANCES)
        self.average = check_choice("average", average, AVERAGES)

    def terms(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Return the summed losses and their number for each anchor, both (B,)."""
        if self.mining == "hard":
            return hard_terms(pairs, self.distance, self.margin, self.soft, self.average)
        distances = pairwise_distances(pairs.anchors, pairs.references, self.distance)
        mine = semihard_terms if self.mining == "semihard" else all_terms
        return mine(distances, pairs.positives, pairs.negatives, self.margin, self.soft, self.average)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        own = {"mining": self.mining, "margin": self.margin, "soft": self.soft}
        return {**super().get_config(), **own, "distance": self.distance, "average": self.average}
