"""Distances and similarities between embedding rows, in float32 or better, with gradients that are always finite."""

from collections.abc import Callable
from typing import Any, TypeAlias

from keras import ops

Tensor: TypeAlias = Any  # a tensor of whichever Keras backend runs

ROUNDING = {"float32": 1e-6, "float64": 1e-15}
DISTANCES = ("l2", "squared_l2", "cosine")


def to_float(x: Tensor) -> Tensor:
    """Return `x` as float32, or as it is where it is float64.

    Args:
        x: tensor or array of any dtype, any shape.
    """
    x = ops.convert_to_tensor(x)
    return x if ops.dtype(x) == "float64" else ops.cast(x, "float32")


def with_slopes(matrix: Tensor, losses: Tensor, slopes: Tensor) -> Tensor:
    """Return the losses as they are, with the gradient by the matrix that is given.

    Where the derivative is known, this spares the backward pass all that automatic differentiation would keep of the
    forward pass: it needs one (B, M) array.

    Args:
        matrix: (B, M), with a gradient: the distances or similarities that the losses were computed from.
        losses: (B,), computed from `matrix` without a gradient.
        slopes: (B, M): the derivative of each row's loss by each of its entries, finite.
    """

    @ops.custom_gradient
    def attach_slopes(_: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            return slopes * (args[0] if upstream is None else upstream)[:, None]

        return losses, gradient

    return attach_slopes(matrix)


def safe_sqrt(x: Tensor) -> Tensor:
    """Return the square root with a zero gradient, not an infinite one, at zero.

    Args:
        x: any shape, not negative.
    """
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, ops.ones_like(x))), ops.zeros_like(x))


def unit_rows(x: Tensor) -> Tensor:
    """Return the rows divided by their norms; a zero row stays zero.

    Args:
        x: (..., D).
    """
    norms = safe_sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
    return x / ops.where(norms > 0, norms, ops.ones_like(norms))


def products(anchors: Tensor, references: Tensor) -> Tensor:
    """Return the product of each anchor row with each reference row, (B, M).

    Args:
        anchors: (B, D).
        references: (M, D); where it is the very same tensor the gradient takes one matrix product, not two.
    """
    if references is not anchors:
        return ops.matmul(anchors, ops.transpose(references))

    @ops.custom_gradient
    def self_products(rows: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            slopes = args[0] if upstream is None else upstream
            return ops.matmul(slopes + ops.transpose(slopes), rows)

        return ops.matmul(rows, ops.transpose(rows)), gradient

    return self_products(anchors)


def cosine_similarities(anchors: Tensor, references: Tensor) -> Tensor:
    """Return the cosine of each anchor row with each reference row, (B, M) in [-1, 1] up to rounding.

    Args:
        anchors: (B, D), any norm.
        references: (M, D), any norm.
    """
    units = unit_rows(anchors)
    return products(units, units if references is anchors else unit_rows(references))


def pairwise_distances(anchors: Tensor, references: Tensor, distance: str = "l2") -> Tensor:
    """Return the distance of each anchor row to each reference row, (B, M).

    Args:
        anchors: (B, D) float32 or float64.
        references: (M, D) of the same dtype.
        distance: "l2", "squared_l2" or "cosine" (one minus the cosine, in [0, 2]).
    """
    if distance == "cosine":
        return 1.0 - cosine_similarities(anchors, references)
    # |a|² + |r|² - 2 a·r cancels where the rows are much longer than their differences, as in a batch near collapse.
    # L2 does not change when both are shifted, so the shift also needs no gradient.
    shift = ops.stop_gradient(ops.mean(references, axis=0, keepdims=True))
    shifted = anchors - shift
    references = shifted if references is anchors else references - shift
    norms = ops.sum(ops.square(shifted), axis=-1)[:, None] + ops.sum(ops.square(references), axis=-1)[None, :]
    squared = norms - 2.0 * products(shifted, references)
    # Below the rounding error of the sum the rows are duplicates: their distance is 0, not the root of the error.
    squared = ops.where(squared > ROUNDING[str(ops.dtype(squared))] * norms, squared, 0.0)
    return squared if distance == "squared_l2" else safe_sqrt(squared)


def paired_distances(first: Tensor, second: Tensor, distance: str = "l2") -> Tensor:
    """Return the distance of each row to the row in the same place, (...,).

    Exact for near-duplicates, unlike `pairwise_distances`: it subtracts before it squares.

    Args:
        first: (..., D) float32 or float64.
        second: (..., D) of the same dtype.
        distance: "l2", "squared_l2" or "cosine".
    """
    if distance == "cosine":
        return 1.0 - ops.sum(unit_rows(first) * unit_rows(second), axis=-1)
    squared = ops.sum(ops.square(first - second), axis=-1)
    return squared if distance == "squared_l2" else safe_sqrt(squared)
