"""A small network that tells hand from ground, pixel by pixel, in the square around a hand's landmarks.

It sees what `handnet.images.hand.pixel_measures` measures at each pixel, no colours as such: so it can be learnt from synthetic
hands alone (benchmarks/mask_network.py). Core TensorFlow operations only.

Reference: Ronneberger, Fischer, Brox 2015, "U-Net: Convolutional networks for biomedical image segmentation"; here what comes
from below is added to what comes across, not put beside it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

WEIGHTS_FILE = Path(__file__).with_name("mask_network.npz")
FINE_WIDTH, WIDTHS = 8, (16, 32, 48, 64)
Halves = npt.NDArray[np.float16]
# A convolution: its name, its input, its number of outputs, the side of its kernel, its step, and whether a ReLU follows.
Convolve = Callable[[str, Any, int, int, int, bool], Any]


def compute_logits(pixels: Any, convolve: Convolve, enlarge: Callable[[Any], Any]) -> Any:
    """Lay the network out.

    Args:
        pixels: (B, S, S, 9) from `measure_pixels`, S a multiple of 16.
        convolve: a convolution as `Convolve` says.
        enlarge: (B, H, W, C) to twice the size, bilinearly.

    Returns:
        (B, S, S, 1) logits, positive where there is hand.
    """
    here = convolve("fine", pixels, FINE_WIDTH, 3, 1, True)
    across = []
    for level, width in enumerate(WIDTHS):
        across.append(here)
        here = convolve(f"down{level}", here, width, 3, 2, True)
        here = convolve(f"stay{level}", here, width, 3, 1, True)
    for level, width in reversed(list(enumerate((FINE_WIDTH, *WIDTHS[:-1])))):
        below = enlarge(convolve(f"narrow{level}", here, width, 1, 1, False))
        here = convolve(f"join{level}", across[level] + below, width, 3, 1, True)
    return convolve("logit", here, 1, 1, 1, False)


def find_hand_pixels(pixels: tf.Tensor) -> tf.Tensor:
    """Return the logits of the network that comes with handnet, (B, S, S, 1), for what `measure_pixels` returns."""
    return run_network(pixels, read_weights())


def run_network(pixels: tf.Tensor, weights: Mapping[str, Halves]) -> tf.Tensor:
    """Return the logits of a network, (B, S, S, 1).

    Args:
        pixels: (B, S, S, 9) from `measure_pixels`, S known and a multiple of 16.
        weights: kernel and bias of each convolution, "NAME.kernel" and "NAME.bias".
    """

    def convolve(name: str, values: tf.Tensor, _: int, __: int, step: int, bends: bool) -> tf.Tensor:
        kernel, bias = (tf.constant(weights[f"{name}.{part}"], tf.float32) for part in ("kernel", "bias"))
        values = tf.nn.bias_add(tf.nn.conv2d(values, kernel, step, "SAME"), bias)
        return tf.nn.relu(values) if bends else values

    def enlarge(values: tf.Tensor) -> tf.Tensor:
        return tf.image.resize(values, [2 * side for side in values.shape[1:3]])

    return compute_logits(pixels, convolve, enlarge)


@cache
def read_weights() -> Mapping[str, Halves]:
    """Return the weights that come with handnet, read once in a process."""
    with np.load(WEIGHTS_FILE) as arrays:
        return {name: arrays[name] for name in arrays.files}
