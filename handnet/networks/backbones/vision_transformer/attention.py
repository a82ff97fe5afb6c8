"""Attention; in training on JAX and an NVIDIA GPU by cuDNN's fused kernels, for every number of tokens."""

from typing import Any

import keras
from keras import ops

# JAX 0.11 refuses an odd number of tokens where there is a gradient (it takes a bias that is not given for one), and Keras then
# computes and keeps all weights, queries × keys: one token more, which no query sees.
_MULTIPLE = 2


def attend(query: Any, key: Any, value: Any, training: bool) -> Any:
    """Return softmax(query · keyᵀ / √width) · value for each head.

    Args:
        query: (B, Q, heads, width).
        key: (B, T, heads, width).
        value: (B, T, heads, width).
        training: whether a gradient will be asked for.

    Returns:
        (B, Q, heads, width).
    """
    if query.shape[1] == 1:
        # One query: a fused kernel has nothing to save.
        return ops.dot_product_attention(query, key, value, flash_attention=False)
    if training and query.shape[1] % _MULTIPLE and _has_fused_kernels(query):
        return attend_padded(query, key, value)
    return ops.dot_product_attention(query, key, value)


def attend_padded(query: Any, key: Any, value: Any, implementation: Any = "cudnn") -> Any:
    """Return the same on JAX alone, by as many tokens more as make their number even.

    Args:
        query: (B, T, heads, width), bfloat16 or float16 for cuDNN.
        key: the same shape.
        value: the same shape.
        implementation: "cudnn" or "xla"; see `jax.nn.dot_product_attention`.
    """
    import jax

    count = query.shape[1]
    added = [(0, 0), (0, -count % _MULTIPLE), (0, 0), (0, 0)]
    padded = [jax.numpy.pad(x, added) for x in (query, key, value)]
    # A number of keys, not a mask: with a mask, which cuDNN takes as a bias, DINOv2-B's step takes a twentieth longer.
    lengths = jax.numpy.full((query.shape[0],), count, "int32")
    attended = jax.nn.dot_product_attention(*padded, key_value_seq_lengths=lengths, implementation=implementation)
    return attended[:, :count]


def _has_fused_kernels(query: Any) -> bool:
    if keras.backend.backend() != "jax" or keras.backend.standardize_dtype(query.dtype) not in ("bfloat16", "float16"):
        return False
    import jax

    device = jax.devices()[0]
    # AMD's are "gpu", too; older ones of NVIDIA's than Ampere have no such kernels.
    is_nvidia = device.platform == "gpu" and "cuda" in device.client.platform_version
    return is_nvidia and float(device.compute_capability) >= 8.0
