"""Losses against one trained proxy for each training identity: proxy-anchor, ArcFace and CosFace."""

import math

import keras
from keras import ops

from handnet.losses.distances import Tensor, cosine_similarities, with_slopes
from handnet.losses.memory import require_state
from handnet.losses.metric_loss import MetricLoss
from handnet.losses.option_checks import check_count, check_number
from handnet.losses.pair_masks import integer_labels
from handnet.losses.replicas import gather_rows, mean_share, num_replicas
from handnet.losses.similarity import masked_logsumexp


class Proxies(keras.layers.Layer):
    """Passes embeddings through unchanged and holds one trained vector for each training identity.

    It is in the model so that the optimizer trains the proxies and checkpoints hold them.

    Args:
        num_classes: number of training identities, at least 2.
        name: name of the layer.

    Raises:
        ConfigError: fewer than two classes.
    """

    def __init__(self, num_classes: int, name: str | None = "proxies"):
        super().__init__(name=name, dtype="float32")
        self.num_classes = check_count("num_classes", num_classes, least=2)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the proxies for embeddings (B, D)."""
        self.proxies = self.add_weight(
            shape=(self.num_classes, input_shape[-1]),
            initializer="he_normal",
            dtype="float32",
            autocast=False,
            name="proxies",
        )
        super().build(input_shape)

    def call(self, embeddings: Tensor) -> Tensor:
        """Return the embeddings."""
        return embeddings

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {"name": self.name, "num_classes": self.num_classes}


def turn(cosines: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Return the cosines of the angles that are larger by `angle`, and their derivative by the cosines, both (B,).

    Args:
        cosines: (B,), in [-1, 1] up to rounding.
        angle: radians in (0, π).

    Reference:
        Deng et al. 2019, "ArcFace", equation 3. Where the angle would exceed π the cosine goes on in a straight line
        with ArcFace's authors' code, so that it still falls.
    """
    cosines = ops.clip(cosines, -1.0, 1.0)
    sines = ops.sqrt(1.0 - ops.square(cosines))
    before = cosines > -math.cos(angle)
    turned = cosines * math.cos(angle) - sines * math.sin(angle)
    # d cos(θ + m) / d cos θ. At θ = 0 it is infinite, but the row's gradient by θ is not: the first summand stays.
    rates = math.cos(angle) + ops.divide_no_nan(math.sin(angle) * cosines, sines)
    turned = ops.where(before, turned, cosines - angle * math.sin(angle))
    return turned, ops.where(before, rates, 1.0)


def margin_cross_entropy(cosines: Tensor, own: Tensor, angle: float, offset: float, scale: float) -> Tensor:
    """Return the cross-entropy of each row after a margin on its own class, (B,).

    Args:
        cosines: (B, C) cosine of each row with each class's proxy.
        own: (B, C) bool: the row's class.
        angle: added to the angle with the own proxy, radians in [0, π): ArcFace (see `turn`).
        offset: taken from the cosine with the own proxy: CosFace.
        scale: multiplies the cosines.

    Reference:
        Deng et al. 2019, "ArcFace", equation 3, and Wang et al. 2018, "CosFace", equation 4.
    """
    fixed = ops.stop_gradient(cosines)
    target = ops.sum(ops.where(own, fixed, 0.0), axis=1)
    rate = ops.ones_like(target)
    if angle:
        target, rate = turn(target, angle)
    target = target - offset
    logits = scale * ops.where(own, target[:, None], fixed)
    highest = ops.max(logits, axis=1)
    exponentials = ops.exp(logits - highest[:, None])
    sums = ops.sum(exponentials, axis=1)
    losses = ops.log(sums) + highest - scale * target
    slopes = exponentials * (scale / sums)[:, None]
    slopes = ops.where(own, (slopes - scale) * rate[:, None], slopes)
    return with_slopes(cosines, losses, slopes)


def proxy_anchor(cosines: Tensor, own: Tensor, margin: float, alpha: float) -> Tensor:
    """Return the proxy-anchor loss, a scalar: the mean over proxies with a row of theirs, plus that over all proxies.

    Args:
        cosines: (C, B) cosine of each proxy with each row.
        own: (C, B) bool: whether the row is of the proxy's class; rows of no class take no part.
        margin: the paper's δ.
        alpha: scale, > 0.

    Reference:
        Kim et al. 2020, "Proxy Anchor Loss for Deep Metric Learning", equation 4.
    """
    known = ops.any(own, axis=0, keepdims=True)
    others = ops.logical_and(known, ops.logical_not(own))
    with_rows = ops.any(own, axis=1)
    fixed = ops.stop_gradient(cosines)
    pull, pull_exponentials, pull_sums = masked_logsumexp(-alpha * (fixed - margin), own)
    push, push_exponentials, push_sums = masked_logsumexp(alpha * (fixed + margin), others)
    pull_slopes = pull_exponentials * (-alpha * ops.sigmoid(pull) / pull_sums)[:, None]
    push_slopes = push_exponentials * (alpha * ops.sigmoid(push) / push_sums)[:, None]
    # The two means differ in their divisors, which must be in the slopes for one product to do.
    num_with_rows = ops.maximum(ops.sum(ops.cast(with_rows, pull.dtype)), 1.0)
    num_proxies = ops.cast(ops.shape(cosines)[0], pull.dtype)
    losses = ops.where(with_rows, ops.softplus(pull), 0.0) / num_with_rows
    losses = losses + ops.where(ops.any(others, axis=1), ops.softplus(push), 0.0) / num_proxies
    return ops.sum(with_slopes(cosines, losses, pull_slopes / num_with_rows + push_slopes / num_proxies))


def one_hot_mask(labels: Tensor, num_classes: int) -> Tensor:
    """Return which class each row is of, (B, C) bool; all false for an identity that is no class.

    Args:
        labels: int (B, 2) = [identity, view].
        num_classes: C.
    """
    return labels[:, :1] == ops.cast(ops.arange(num_classes, dtype="int32"), labels.dtype)[None, :]


class ProxyLoss(MetricLoss):
    """A loss against proxies, held by `state`; a subclass gives `call`.

    Identities must be 0 … num_classes - 1. A row of another identity (validation people) takes no part.
    """

    needs_classes = True
    state: Proxies

    def __init__(self, num_classes: int, name: str):
        super().__init__(name)
        self.state = Proxies(num_classes)

    def proxies(self, dtype: str) -> Tensor:
        """Return the proxies, (C, D).

        Args:
            dtype: of the embeddings.

        Raises:
            ConfigError: the model was built without `attach`.
        """
        require_state(self.state, self.name)
        return ops.cast(ops.convert_to_tensor(self.state.proxies), dtype)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {"name": self.name, "num_classes": self.state.num_classes}


class ProxyAnchorLoss(ProxyLoss):
    """Proxy-anchor loss.

    Args:
        num_classes: number of training identities, at least 2.
        margin: the paper's δ, > 0.
        alpha: scale, > 0.
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(self, num_classes: int, margin: float = 0.1, alpha: float = 32.0, name: str = "proxy_anchor"):
        super().__init__(num_classes, name)
        self.margin = check_number("margin", margin, above=0.0)
        self.alpha = check_number("alpha", alpha, above=0.0)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of all replicas' rows, divided by the number of replicas."""
        labels, rows = gather_rows(integer_labels(y_true)), gather_rows(y_pred)
        cosines = cosine_similarities(self.proxies(rows.dtype), rows)
        own = ops.transpose(one_hot_mask(labels, self.state.num_classes))
        return proxy_anchor(cosines, own, self.margin, self.alpha) / num_replicas()

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "margin": self.margin, "alpha": self.alpha}


class ArcFaceLoss(ProxyLoss):
    """ArcFace: cross-entropy over the training identities with a margin on the angle.

    Args:
        num_classes: number of training identities, at least 2.
        margin: added to the angle with the own proxy, radians in (0, 3].
        scale: multiplies the cosines, > 0.
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(self, num_classes: int, margin: float = 0.5, scale: float = 64.0, name: str = "arcface"):
        super().__init__(num_classes, name)
        self.margin = check_number("margin", margin, above=0.0, at_most=3.0)
        self.scale = check_number("scale", scale, above=0.0)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the mean over the rows of training identities."""
        return classification_share(self, y_true, y_pred, angle=self.margin, offset=0.0)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}


class CosFaceLoss(ProxyLoss):
    """CosFace: cross-entropy over the training identities with a margin on the cosine.

    Args:
        num_classes: number of training identities, at least 2.
        margin: taken from the cosine with the own proxy, in (0, 2].
        scale: multiplies the cosines, > 0.
        name: name of the loss.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(self, num_classes: int, margin: float = 0.35, scale: float = 64.0, name: str = "cosface"):
        super().__init__(num_classes, name)
        self.margin = check_number("margin", margin, above=0.0, at_most=2.0)
        self.scale = check_number("scale", scale, above=0.0)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the mean over the rows of training identities."""
        return classification_share(self, y_true, y_pred, angle=0.0, offset=self.margin)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}


def classification_share(
    loss: ArcFaceLoss | CosFaceLoss, y_true: Tensor, y_pred: Tensor, angle: float, offset: float
) -> Tensor:
    """Return this replica's share of the mean cross-entropy of the rows of training identities.

    Args:
        loss: with its proxies and scale.
        y_true: int (B, 2) = [identity, view].
        y_pred: (B, D).
        angle: see `margin_cross_entropy`.
        offset: see `margin_cross_entropy`.
    """
    own = one_hot_mask(integer_labels(y_true), loss.state.num_classes)
    cosines = cosine_similarities(y_pred, loss.proxies(y_pred.dtype))
    known = ops.any(own, axis=1)
    counts = ops.cast(known, cosines.dtype)
    losses = margin_cross_entropy(cosines, own, angle, offset, loss.scale) * counts
    return mean_share(losses, counts)
