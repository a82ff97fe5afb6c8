"""Losses on cosine similarities: InfoNCE, supervised contrastive, multi-similarity and circle."""

import math

from keras import ops

from handnet.losses.distances import Tensor, cosine_similarities
from handnet.losses.metric_loss import PairLoss
from handnet.losses.options import check_flag, check_number
from handnet.losses.pairs import Pairs


def masked_logsumexp(x: Tensor, mask: Tensor) -> Tensor:
    """Return ln Σ exp(x) over the masked places of each row, (B,); a row without any gives 0, for the caller to mask.

    Args:
        x: (B, M).
        mask: (B, M) bool.
    """
    highest = ops.max(ops.where(mask, ops.stop_gradient(x), -math.inf), axis=1, keepdims=True)
    highest = ops.where(highest > -math.inf, highest, 0.0)
    sums = ops.sum(ops.where(mask, ops.exp(ops.where(mask, x - highest, 0.0)), 0.0), axis=1)
    return ops.log(ops.where(sums > 0, sums, ops.ones_like(sums))) + highest[:, 0]


def has_both(positives: Tensor, negatives: Tensor) -> Tensor:
    """Return which anchors have a positive and a negative, (B,) bool.

    Args:
        positives: (B, M) bool.
        negatives: (B, M) bool.
    """
    return ops.logical_and(ops.any(positives, axis=1), ops.any(negatives, axis=1))


def mean_over(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the masked places of each row, (B,); 0 where there are none.

    Args:
        x: (B, M).
        mask: (B, M) bool.
    """
    counts = ops.sum(ops.cast(mask, x.dtype), axis=1)
    return ops.sum(ops.where(mask, x, 0.0), axis=1) / ops.maximum(counts, ops.ones_like(counts))


def info_nce(similarities: Tensor, positives: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Return the InfoNCE loss of each anchor, (B,): each positive against the negatives alone, mean over positives.

    Args:
        similarities: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        temperature: divides the similarities, > 0.

    Reference:
        van den Oord, Li, Vinyals 2018, "Representation Learning with Contrastive Predictive Coding", equation 4; with
        more than one positive as pytorch-metric-learning's NTXentLoss: the other positives are not in the denominator.
    """
    logits = similarities / temperature
    negative = masked_logsumexp(logits, negatives)[:, None]
    return mean_over(ops.softplus(negative - logits), positives)


def supervised_contrastive(similarities: Tensor, positives: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Return the supervised contrastive loss of each anchor, (B,): each positive against all other rows.

    Args:
        similarities: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        temperature: divides the similarities, > 0.

    Reference:
        Khosla et al. 2020, "Supervised Contrastive Learning", equation 2 (the mean outside of the logarithm).
    """
    logits = similarities / temperature
    everyone = masked_logsumexp(logits, ops.logical_or(positives, negatives))
    return everyone - mean_over(logits, positives)


def multi_similarity(
    similarities: Tensor,
    positives: Tensor,
    negatives: Tensor,
    alpha: float,
    beta: float,
    base: float,
    epsilon: float,
) -> Tensor:
    """Return the multi-similarity loss of each anchor, (B,).

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
        fixed = ops.stop_gradient(similarities)
        worst_positive = ops.min(ops.where(positives, fixed, math.inf), axis=1, keepdims=True)
        worst_negative = ops.max(ops.where(negatives, fixed, -math.inf), axis=1, keepdims=True)
        negatives = ops.logical_and(negatives, fixed > worst_positive - epsilon)
        positives = ops.logical_and(positives, fixed < worst_negative + epsilon)
    pull = ops.softplus(masked_logsumexp(-alpha * (similarities - base), positives)) / alpha
    push = ops.softplus(masked_logsumexp(beta * (similarities - base), negatives)) / beta
    return ops.where(ops.any(positives, axis=1), pull, 0.0) + ops.where(ops.any(negatives, axis=1), push, 0.0)


def circle(
    similarities: Tensor, positives: Tensor, negatives: Tensor, margin: float, scale: float, pace: Tensor
) -> Tensor:
    """Return the circle loss of each anchor, (B,).

    Args:
        similarities: (B, M).
        positives: (B, M) bool.
        negatives: (B, M) bool.
        margin: relaxation of the targets 1 and 0, in (0, 1).
        scale: the paper's γ, > 0.
        pace: the similarities from which the weights are computed; as published they are held fixed in the gradient.

    Reference:
        Sun et al. 2020, "Circle Loss: A Unified Perspective of Pair Similarity Optimization", equations 6 to 8.
    """
    pull = ops.maximum(1.0 + margin - pace, 0.0) * (similarities - (1.0 - margin))
    push = ops.maximum(pace + margin, 0.0) * (similarities - margin)
    return ops.softplus(masked_logsumexp(-scale * pull, positives) + masked_logsumexp(scale * push, negatives))


class SimilarityLoss(PairLoss):
    """A loss whose value for each anchor comes from its row of cosine similarities; a subclass gives `losses`."""

    def terms(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Return the loss of each anchor and whether it has a positive and a negative, both (B,)."""
        similarities = cosine_similarities(pairs.anchors, pairs.references)
        valid = has_both(pairs.positives, pairs.negatives)
        losses = self.losses(similarities, pairs.positives, pairs.negatives)
        return ops.where(valid, losses, 0.0), ops.cast(valid, losses.dtype)

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """Return the loss of each anchor, (B,); that of an anchor without positive or negative is not used."""
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

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """Return the loss of each anchor, (B,): see `info_nce`."""
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

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """Return the loss of each anchor, (B,): see `supervised_contrastive`."""
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

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """Return the loss of each anchor, (B,): see `multi_similarity`."""
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

    def losses(self, similarities: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """Return the loss of each anchor, (B,): see `circle`."""
        pace = ops.stop_gradient(similarities)
        return circle(similarities, positives, negatives, self.margin, self.scale, pace)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}
