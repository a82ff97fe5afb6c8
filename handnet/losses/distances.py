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


def row_norms(x: Tensor) -> Tensor:
    """Return the L2 norm of each row, (...,), with a zero gradient, not an infinite one, where it is zero.

    Args:
        x: (..., D).
    """

    @ops.custom_gradient
    def measure(x: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        norms = ops.sqrt(ops.sum(ops.square(x), axis=-1))

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            slopes = args[0] if upstream is None else upstream
            return x * ops.divide_no_nan(slopes, norms)[..., None]

        return norms, gradient

    return measure(x)


def unit_rows(x: Tensor) -> Tensor:
    """Return the rows divided by their norms; a zero row stays zero, with zero gradient.

    Args:
        x: (..., D).
    """

    @ops.custom_gradient
    def divide_by_norm(x: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        norms = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
        inverses = ops.divide_no_nan(ops.ones_like(norms), norms)
        units = x * inverses

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            slopes = args[0] if upstream is None else upstream
            return (slopes - units * ops.sum(slopes * units, axis=-1, keepdims=True)) * inverses

        return units, gradient

    return divide_by_norm(x)


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


def pairwise_distances(
    anchors: Tensor, references: Tensor, distance: str = "l2", symmetric_slopes: bool = False
) -> Tensor:
    """Return the distance of each anchor row to each reference row, (B, M).

    Args:
        anchors: (B, D) float32 or float64.
        references: (M, D) of the same dtype.
        distance: "l2", "squared_l2" or "cosine" (one minus the cosine, in [0, 2]).
        symmetric_slopes: a promise that, where the references are the anchors, the derivative of the loss by these
            distances will be a symmetric matrix: it then need not be transposed. Not used by the cosine.
    """
    if distance == "cosine":
        return 1.0 - cosine_similarities(anchors, references)
    # |a|² + |r|² - 2 a·r cancels where the rows are much longer than their differences, as in a batch near collapse.
    # A shift of both changes no distance, and so takes no part in the gradient either.
    shift = ops.stop_gradient(ops.mean(references, axis=0, keepdims=True))
    shifted = anchors - shift
    root = distance == "l2"
    if references is anchors:
        return self_distances(shifted, root, symmetric_slopes)
    return cross_distances(shifted, references - shift, root)


def euclidean(anchors: Tensor, references: Tensor, root: bool) -> Tensor:
    """Return the L2 or the squared distances, (B, M), without a gradient of use.

    Args:
        anchors: (B, D).
        references: (M, D).
        root: whether to take the root.
    """
    norms = ops.sum(ops.square(anchors), axis=-1)[:, None]
    products_twice = ops.matmul(-2.0 * anchors, ops.transpose(references))
    squared = products_twice + norms + ops.sum(ops.square(references), axis=-1)[None, :]
    # Below the rounding error of the sum the rows are duplicates: their distance is 0, not the root of the error. Their
    # norms are then equal as well, so that the anchor's stands for both.
    apart = squared > 2.0 * ROUNDING[str(ops.dtype(squared))] * norms
    squared = squared * ops.cast(apart, squared.dtype)
    return ops.sqrt(squared) if root else squared


def pull_weights(distances: Tensor, slopes: Tensor, root: bool) -> Tensor:
    """Return by how much the gradient moves each anchor along its difference to each reference, (B, M).

    Args:
        distances: (B, M), L2 or squared.
        slopes: (B, M): the derivative of the loss by them.
        root: whether they are L2: at distance 0, where that has no derivative, the weight is 0.
    """
    return ops.divide_no_nan(slopes, distances) if root else 2.0 * slopes


def self_distances(rows: Tensor, root: bool, symmetric_slopes: bool) -> Tensor:
    """Return the distances of rows to each other, (B, B); the gradient takes one matrix product.

    Args:
        rows: (B, D).
        root: L2 rather than squared L2.
        symmetric_slopes: see `pairwise_distances`.
    """

    @ops.custom_gradient
    def compare(rows: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        distances = euclidean(rows, rows, root)

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            weights = pull_weights(distances, args[0] if upstream is None else upstream, root)
            if symmetric_slopes:
                return 2.0 * (rows * ops.sum(weights, axis=1)[:, None] - ops.matmul(weights, rows))
            weights = weights + ops.transpose(weights)
            return rows * ops.sum(weights, axis=1)[:, None] - ops.matmul(weights, rows)

        return distances, gradient

    return compare(rows)


def cross_distances(anchors: Tensor, references: Tensor, root: bool) -> Tensor:
    """Return the distance of each anchor row to each reference row, (B, M).

    Args:
        anchors: (B, D).
        references: (M, D).
        root: L2 rather than squared L2.
    """

    @ops.custom_gradient
    def compare(anchors: Tensor, references: Tensor) -> tuple[Tensor, Callable[..., tuple[Tensor, Tensor]]]:
        distances = euclidean(anchors, references, root)

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
            weights = pull_weights(distances, args[0] if upstream is None else upstream, root)
            to_anchors = anchors * ops.sum(weights, axis=1)[:, None] - ops.matmul(weights, references)
            turned = ops.transpose(weights)
            return to_anchors, references * ops.sum(weights, axis=0)[:, None] - ops.matmul(turned, anchors)

        return distances, gradient

    return compare(anchors, references)


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
    if distance == "l2":
        return row_norms(first - second)
    return ops.sum(ops.square(first - second), axis=-1)
