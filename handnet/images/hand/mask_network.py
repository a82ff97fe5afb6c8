"""A small network that tells hand from ground, pixel by pixel, in the square around a hand's landmarks.

It sees what `handnet.images.hand.pixel_measures` measures at each pixel, and was learnt from synthetic hands alone, of all
colours (benchmarks/mask_network.py). Core TensorFlow operations only.

Reference: Ronneberger, Fischer, Brox 2015, "U-Net: Convolutional networks for biomedical image segmentation"; here what comes
from below is added to what comes across, not put beside it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

WEIGHTS_FILE = Path(__file__).with_name("mask_network.npz")
Halves = npt.NDArray[np.float16]


def find_hand_pixels(pixels: tf.Tensor) -> tf.Tensor:
    """Return the logits of the network that comes with handnet, (B, S, S, 1), for what `measure_pixels` returns."""
    return run_network(pixels, read_weights())


def run_network(pixels: tf.Tensor, weights: Mapping[str, Halves]) -> tf.Tensor:
    """Return the logits of a network, (B, S, S, 1).

    Args:
        pixels: (B, S, S, M) from `measure_pixels`, S known and a multiple of 16.
        weights: kernel and bias of each convolution, "NAME.kernel" and "NAME.bias"; they decide widths and depth too.
    """
    num_levels = sum(name.startswith("down") for name in weights) // 2

    def convolve(name: str, values: tf.Tensor, step: int = 1, bends: bool = True) -> tf.Tensor:
        kernel, bias = (tf.constant(weights[f"{name}.{part}"], tf.float32) for part in ("kernel", "bias"))
        values = tf.nn.bias_add(tf.nn.conv2d(values, kernel, step, "SAME"), bias)
        return tf.nn.relu(values) if bends else values

    here, across = convolve("fine", pixels), []
    for level in range(num_levels):
        across.append(here)
        here = convolve(f"stay{level}", convolve(f"down{level}", here, 2))
    for level in reversed(range(num_levels)):
        below = convolve(f"narrow{level}", here, bends=False)
        below = tf.image.resize(below, [2 * side for side in below.shape[1:3]])
        here = convolve(f"join{level}", across[level] + below)
    if "refine.kernel" in weights:
        here = convolve("refine", here)
    return convolve("logit", here, bends=False)


@cache
def read_weights() -> Mapping[str, Halves]:
    """Return the weights that come with handnet, read once in a process."""
    with np.load(WEIGHTS_FILE) as arrays:
        return {name: arrays[name] for name in arrays.files}
