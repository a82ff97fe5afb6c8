"""Losses on cosine similarities: InfoNCE, supervised contrastive, multi-similarity and circle."""

import math

from keras import ops

from handnet.losses.distances import Tensor, cosine_similarities, with_slopes
from handnet.losses.metric_loss import PairLoss
from handnet.losses.option_checks import check_flag, check_number
from handnet.losses.pair_masks import Pairs


def masked_logsumexp(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ln Σ exp(x) over the masked places of each row, and what its derivative is made of.

    Args:
        x: (B, M).
        mask: (B, M) bool.

    Returns:
        The logarithm (B,), 0 for a row without any; exponentials (B, M), 0 outside of the mask; their sums (B,), 1 for
        a row without any. The derivative is exponentials / sums.
    """
    shown = ops.where(mask, x, -math.inf)
    highest = ops.max(shown, axis=1)
    highest = ops.where(highest > -math.inf, highest, 0.0)
    exponentials = ops.exp(shown - highest[:, None])
    sums = ops.sum(exponentials, axis=1)
    sums = ops.where(sums > 0, sums, ops.ones_like(sums))
    return ops.log(sums) + highest, exponentials, sums


def count(mask: Tensor, dtype: str) -> Tensor:
    """Return how many places of each row are masked, (B,).

    Args:
        mask: (B, M) bool.
        dtype: of the result.
    """
    return ops.sum(ops.cast(mask, dtype), axis=1)


def info_nce(similarities: Tensor, positives: Tensor, negatives: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return the InfoNCE loss of each anchor, (B,), and its slopes: each positive against the negatives alone.

    Args:
        similarities: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        temperature: divides the similarities, > 0.

    Reference:
        van den Oord, Li, Vinyals 2018, "Representation Learning with Contrastive Predictive Coding", equation 4; of
        several positives the mean, and the others are not in the denominator, as in pytorch-metric-learning's
        NTXentLoss.
    """
    logits = similarities / temperature
    against, exponentials, sums = masked_logsumexp(logits, negatives)
    gaps = against[:, None] - logits
    num_positives = ops.maximum(count(positives, logits.dtype), 1.0)
    losses = ops.sum(ops.where(positives, ops.softplus(gaps), 0.0), axis=1) / num_positives
    pull = ops.where(positives, ops.sigmoid(gaps), 0.0) / (temperature * num_positives)[:, None]
    return losses, exponentials * (ops.sum(pull, axis=1) / sums)[:, None] - pull


def supervised_contrastive(
    similarities: Tensor, positives: Tensor, negatives: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return the supervised contrastive loss of each anchor, (B,), and its slopes: each positive against all others.

    Args:
        similarities: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        temperature: divides the similarities, > 0.

    Reference:
        Khosla et al. 2020, "Supervised Contrastive Learning", equation 2 (the mean outside of the logarithm).
    """
    logits = similarities / temperature
    against, exponentials, sums = masked_logsumexp(logits, ops.logical_or(positives, negatives))
    num_positives = ops.maximum(count(positives, logits.dtype), 1.0)
    losses = against - ops.sum(ops.where(positives, logits, 0.0), axis=1) / num_positives
    pull = ops.where(positives, (1.0 / (temperature * num_positives))[:, None], 0.0)
    return losses, exponentials / (temperature * sums)[:, None] - pull


def multi_similarity(
    similarities: Tensor,
    positives: Tensor,
    negatives: Tensor,
    alpha: float,
    beta: float,
    base: float,
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """Return the multi-similarity loss of each anchor, (B,), and its slopes.

    Args:
        similarities: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        alpha: sharpness for positives, > 0.
        beta: sharpness for negatives, > 0.
        base: similarity above which a positive, and below which a negative, hardly counts.
        epsilon: only negatives more similar than the least similar positive less epsilon, and positives less similar
            than the most similar negative plus epsilon, take part; infinity: all do.

    Reference:
        Wang et al. 2019, "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", equations 11,
        12 and 15.
    """
    if epsilon < math.inf:
        worst_positive = ops.min(ops.where(positives, similarities, math.inf), axis=1)
        worst_negative = ops.max(ops.where(negatives, similarities, -math.inf), axis=1)
        negatives = ops.logical_and(negatives, similarities > (worst_positive - epsilon)[:, None])
        positives = ops.logical_and(positives, similarities < (worst_negative + epsilon)[:, None])
    pull, pull_exponentials, pull_sums = masked_logsumexp(-alpha * (similarities - base), positives)
    push, push_exponentials, push_sums = masked_logsumexp(beta * (similarities - base), negatives)
    # What is mined has positives and negatives or neither of them.
    mined = ops.any(negatives, axis=1)
    losses = ops.where(mined, ops.softplus(pull) / alpha + ops.softplus(push) / beta, 0.0)
    slopes = push_exponentials * (ops.sigmoid(push) / push_sums)[:, None]
    return losses, slopes - pull_exponentials * (ops.sigmoid(pull) / pull_sums)[:, None]


def circle(
    similarities: Tensor, positives: Tensor, negatives: Tensor, margin: float, scale: float
) -> tuple[Tensor, Tensor]:
    """Return the circle loss of each anchor, (B,), and its slopes, in which the weights are fixed as published.

    Args:
        similarities: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        margin: relaxation of the targets 1 and 0, in (0, 1).
        scale: the paper's γ, > 0.

    Reference:
        Sun et al. 2020, "Circle Loss: A Unified Perspective of Pair Similarity Optimization", equations 6 to 8.
    """
    pull_weights = scale * ops.maximum(1.0 + margin - similarities, 0.0)
    push_weights = scale * ops.maximum(similarities + margin, 0.0)
    pull, pull_exponentials, pull_sums = masked_logsumexp(-pull_weights * (similarities - (1.0 - margin)), positives)
    push, push_exponentials, push_sums = masked_logsumexp(push_weights * (similarities - margin), negatives)
    rate = ops.sigmoid(pull + push)
    slopes = push_weights * push_exponentials * (rate / push_sums)[:, None]
    return ops.softplus(pull + push), slopes - pull_weights * pull_exponentials * (rate / pull_sums)[:, None]


class SimilarityLoss(PairLoss):
    """A loss of each anchor's row of cosine similarities; a subclass gives `losses`."""

    def terms(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Return the loss of each anchor and whether it has a positive and a negative, both (B,)."""
        similarities = cosine_similarities(pairs.anchors, pairs.references)
        losses, slopes = self.losses(ops.stop_gradient(similarities), pairs.positives, pairs.negatives)
        valid = ops.logical_and(ops.any(pairs.positives, axis=1), ops.any(pairs.negatives, axis=1))
        counts = ops.cast(valid, losses.dtype)
        return with_slopes(similarities, losses, slopes) * counts, counts

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each anchor, (B,), and its derivative by each similarity, (B, M), finite.

        What is returned for an anchor without positive or negative is not used.
        """
        raise NotImplementedError


class InfoNCELoss(SimilarityLoss):
    """InfoNCE, symmetric between the views: dorsal photos among palmar ones and palmar photos among dorsal ones.

    Args:
        temperature: divides the cosine similarities, > 0.
        views: "cross", "any" (then it is NT-Xent on identities) or "both".
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(self, temperature: float = 0.07, views: str = "cross", name: str = "infonce"):
        super().__init__(views, name)
        self.temperature = check_number("temperature", temperature, above=0.0)

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses and slopes: see `info_nce`."""
        return info_nce(similarities, positives, negatives, self.temperature)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "temperature": self.temperature}


class SupConLoss(SimilarityLoss):
    """Supervised contrastive loss.

    Args:
        temperature: divides the cosine similarities, > 0.
        views: "any", "cross" or "both".
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(self, temperature: float = 0.1, views: str = "any", name: str = "supcon"):
        super().__init__(views, name)
        self.temperature = check_number("temperature", temperature, above=0.0)

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses and slopes: see `supervised_contrastive`."""
        return supervised_contrastive(similarities, positives, negatives, self.temperature)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "temperature": self.temperature}


class MultiSimilarityLoss(SimilarityLoss):
    """Multi-similarity loss with its pair mining.

    Args:
        alpha: sharpness for positives, > 0.
        beta: sharpness for negatives, > 0.
        base: similarity about which the pairs are weighted, in (-1, 1].
        mining: whether only the pairs within `epsilon` of being violated take part.
        epsilon: the mining's margin in cosine, > 0; not used without mining.
        views: "any", "cross" or "both".
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 0.5,
        mining: bool = True,
        epsilon: float = 0.1,
        views: str = "any",
        name: str = "multi_similarity",
    ):
        super().__init__(views, name)
        self.alpha = check_number("alpha", alpha, above=0.0)
        self.beta = check_number("beta", beta, above=0.0)
        self.base = check_number("base", base, above=-1.0, at_most=1.0)
        self.mining = check_flag("mining", mining)
        self.epsilon = check_number("epsilon", epsilon, above=0.0)

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses and slopes: see `multi_similarity`."""
        epsilon = self.epsilon if self.mining else math.inf
        return multi_similarity(similarities, positives, negatives, self.alpha, self.beta, self.base, epsilon)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        own = {"alpha": self.alpha, "beta": self.beta, "base": self.base}
        return {**super().get_config(), **own, "mining": self.mining, "epsilon": self.epsilon}


class CircleLoss(SimilarityLoss):
    """Circle loss.

    Args:
        margin: relaxation of the targets 1 and 0, in (0, 1].
        scale: the paper's γ, > 0.
        views: "any", "cross" or "both".
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(self, margin: float = 0.4, scale: float = 80.0, views: str = "any", name: str = "circle"):
        super().__init__(views, name)
        self.margin = check_number("margin", margin, above=0.0, at_most=1.0)
        self.scale = check_number("scale", scale, above=0.0)

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses and slopes: see `circle`."""
        return circle(similarities, positives, negatives, self.margin, self.scale)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}
