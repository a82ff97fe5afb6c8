"""Layer norm and GELU that keep their input alone for the gradient.

Differentiated as Keras writes them, JAX keeps three float32 arrays of a layer norm and three arrays of a GELU beside its
input. Here all but the input, and two numbers a token, is computed again where the gradient reads the input. A GPU takes
longer to write and read such an array than to compute it.
"""

import math
from collections.abc import Callable
from typing import Any

from keras import ops


def lean_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Return the layer norm over the last axis, computed in float32, in the type of `x`.

    Args:
        x: (B, T, width).
        gamma: scale, (width,).
        beta: offset, (width,).
        epsilon: added to the variance.

    Reference: Ba et al. 2016, https://arxiv.org/abs/1607.06450.
    """

    @ops.custom_gradient
    def normalize(x: Any, gamma: Any, beta: Any) -> tuple[Any, Callable[..., Any]]:
        values = ops.cast(x, "float32")
        mean = ops.mean(values, axis=-1, keepdims=True)
        scale = ops.rsqrt(ops.mean(ops.square(values - mean), axis=-1, keepdims=True) + epsilon)
        y = (values - mean) * scale * ops.cast(gamma, "float32") + ops.cast(beta, "float32")

        def gradient(*args: Any, upstream: Any = None) -> tuple[Any, Any, Any]:
            slopes = ops.cast(args[0] if upstream is None else upstream, "float32")
            normal = (ops.cast(x, "float32") - mean) * scale
            scaled = slopes * ops.cast(gamma, "float32")
            along = ops.mean(scaled * normal, axis=-1, keepdims=True)
            by_x = scale * (scaled - ops.mean(scaled, axis=-1, keepdims=True) - normal * along)
            by_gamma, by_beta = ops.sum(slopes * normal, axis=(0, 1)), ops.sum(slopes, axis=(0, 1))
            return ops.cast(by_x, x.dtype), ops.cast(by_gamma, gamma.dtype), ops.cast(by_beta, beta.dtype)

        return ops.cast(y, x.dtype), gradient

    return normalize(x, gamma, beta)


def lean_gelu(x: Any) -> Any:
    """Return x · Φ(x), Φ the normal distribution function, computed in float32, in the type and shape of `x`.

    Reference: Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415.
    """

    def share(values: Any) -> Any:
        return 0.5 * (1.0 + ops.erf(values * math.sqrt(0.5)))

    @ops.custom_gradient
    def apply(x: Any) -> tuple[Any, Callable[..., Any]]:
        values = ops.cast(x, "float32")

        def gradient(*args: Any, upstream: Any = None) -> Any:
            slopes = ops.cast(args[0] if upstream is None else upstream, "float32")
            values = ops.cast(x, "float32")
            density = ops.exp(-0.5 * ops.square(values)) / math.sqrt(2.0 * math.pi)
            return ops.cast(slopes * (share(values) + values * density), x.dtype)

        return ops.cast(values * share(values), x.dtype), gradient

    return apply(x)
