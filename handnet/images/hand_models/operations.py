"""The operations of a TensorFlow Lite network, carried out with TensorFlow or with Keras.

One table says what each operation is, in a few primitives. `TENSORFLOW` gives them as core TensorFlow operations, for
tf.data and exported models on any backend of Keras; `KERAS` as keras.ops, for a Keras model on any of its backends.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from handnet.errors import WeightsError
from handnet.images.hand_models.tflite import Network, Operation

Tensor = Any


class Primitives(NamedTuple):
    """What the operations are made of, on tensors (B, H, W, C) and with strides and dilation as (vertical, horizontal).

    Attributes:
        convolve: (tensor, kernel (h, w, in, out), strides, padding, dilation).
        convolve_depthwise: the same, kernel (h, w, in, multiplier).
        max_pool: (tensor, size, strides, padding).
        resize: (tensor, size), bilinear, half-pixel centres.
        pad: (tensor, pairs of numbers before and after).
        concatenate, reshape, matmul, mean, maximum, minimum, sigmoid: as NumPy has them.
    """

    convolve: Callable[..., Tensor]
    convolve_depthwise: Callable[..., Tensor]
    max_pool: Callable[..., Tensor]
    resize: Callable[..., Tensor]
    pad: Callable[..., Tensor]
    concatenate: Callable[..., Tensor]
    reshape: Callable[..., Tensor]
    matmul: Callable[..., Tensor]
    mean: Callable[..., Tensor]
    maximum: Callable[..., Tensor]
    minimum: Callable[..., Tensor]
    sigmoid: Callable[..., Tensor]


class Step(NamedTuple):
    """One operation about to be carried out: the primitives, its options, its output's declared shape, its constant inputs.

    `constants` has an array for each input that is one and None for the others.
    """

    ops: Primitives
    options: Mapping[str, Any]
    shape: tuple[int, ...]
    constants: list[Any]


def run_network(
    network: Network, pictures: Tensor, ops: Primitives, weights: Mapping[int, Tensor] | None = None
) -> list[Tensor]:
    """Carry out a network.

    Args:
        network: as `read_tflite` gives it.
        pictures: (B, H, W, 3) float32 in 0..1, H and W as the network's input has them.
        ops: `TENSORFLOW` or `KERAS`.
        weights: what to use instead of the network's own floating-point constants, by tensor number, float32.

    Returns:
        Its outputs, float32, in the file's order.

    Raises:
        WeightsError: the network uses an option that handnet does not have.
    """
    tensors: dict[int, Tensor] = {network.input: pictures}
    weights = read_weights(network) if weights is None else weights
    for operation in network.operations:
        if operation.name == "DEQUANTIZE":
            continue
        step = Step(ops, operation.options, network.shapes[operation.output], _find_constants(network, operation))
        inputs = [tensors[n] if n in tensors else weights.get(n) for n in _trace(network, operation)]
        result = OPERATIONS[operation.name](step, *inputs)
        tensors[operation.output] = ACTIVATIONS[str(operation.options.get("activation", "linear"))](ops, result)
    return [tensors[number] for number in network.outputs]


def read_weights(network: Network) -> dict[int, np.ndarray]:
    """Return the floating-point constants, float32, by tensor number, in the layout that the primitives take."""
    layouts = {"CONV_2D": (1, 2, 3, 0), "DEPTHWISE_CONV_2D": (1, 2, 3, 0), "FULLY_CONNECTED": (1, 0)}
    found: dict[int, np.ndarray] = {}
    for operation in network.operations:
        for place, number in enumerate(_trace(network, operation)):
            array = network.constants.get(number)
            if array is None or array.dtype.kind != "f" or operation.name == "DEQUANTIZE":
                continue
            layout = layouts.get(operation.name) if place == 1 else None
            found[number] = np.ascontiguousarray((array.transpose(layout) if layout else array).astype(np.float32))
    return found


def _trace(network: Network, operation: Operation) -> list[int]:
    """Return the inputs of an operation; a float16 constant itself instead of its DEQUANTIZE."""
    sources = {step.output: step.inputs[0] for step in network.operations if step.name == "DEQUANTIZE"}
    return [sources.get(number, number) for number in operation.inputs]


def _find_constants(network: Network, operation: Operation) -> list[Any]:
    return [network.constants.get(number) for number in _trace(network, operation)]


def _convolve(step: Step, tensor: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    return step.ops.convolve(tensor, kernel, *_read_window(step)) + bias


def _convolve_depthwise(step: Step, tensor: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    # TensorFlow Lite stores (1, h, w, channels): `read_weights` has made (h, w, channels, 1) of it.
    return step.ops.convolve_depthwise(tensor, kernel, *_read_window(step)) + bias


def _read_window(step: Step) -> tuple[tuple[int, int], str, tuple[int, int]]:
    options = step.options
    return (
        (options["stride_h"], options["stride_w"]),
        options["padding"],
        (options["dilation_h"], options["dilation_w"]),
    )


def _max_pool(step: Step, tensor: Tensor) -> Tensor:
    options = step.options
    size, strides = (options["height"], options["width"]), (options["stride_h"], options["stride_w"])
    return step.ops.max_pool(tensor, size, strides, options["padding"])


def _prelu(step: Step, tensor: Tensor, slope: Tensor) -> Tensor:
    if (step.constants[1] <= 1).all():
        return step.ops.maximum(tensor, tensor * slope)
    return step.ops.maximum(tensor, 0.0) + step.ops.minimum(tensor, 0.0) * slope


def _resize(step: Step, tensor: Tensor, size: None) -> Tensor:
    if not step.options["half_pixel_centers"] or step.options["align_corners"]:
        raise WeightsError(f"RESIZE_BILINEAR with {dict(step.options)} is not supported; half-pixel centres alone are.")
    return step.ops.resize(tensor, step.shape[1:3])


def _reshape(step: Step, tensor: Tensor, shape: None) -> Tensor:
    return step.ops.reshape(tensor, (-1, *step.shape[1:]))


def _pad(step: Step, tensor: Tensor, pairs: None) -> Tensor:
    return step.ops.pad(tensor, step.constants[1].tolist())


def _mean(step: Step, tensor: Tensor, axes: None) -> Tensor:
    return step.ops.mean(tensor, tuple(step.constants[1].tolist()), step.options["keeps_dimensions"])


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "ADD": lambda step, a, b: a + b,
    "CONCATENATION": lambda step, *tensors: step.ops.concatenate(tensors, step.options["axis"]),
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve_depthwise,
    "FULLY_CONNECTED": lambda step, tensor, matrix, bias: step.ops.matmul(tensor, matrix) + bias,
    "LOGISTIC": lambda step, tensor: step.ops.sigmoid(tensor),
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
}
ACTIVATIONS: dict[str, Callable[[Primitives, Tensor], Tensor]] = {
    "linear": lambda ops, tensor: tensor,
    "relu": lambda ops, tensor: ops.maximum(tensor, 0.0),
    "relu-1-to-1": lambda ops, tensor: ops.maximum(ops.minimum(tensor, 1.0), -1.0),
    "relu6": lambda ops, tensor: ops.maximum(ops.minimum(tensor, 6.0), 0.0),
}
TENSORFLOW = Primitives(
    convolve=lambda x, kernel, strides, padding, dilation: tf.nn.conv2d(
        x, kernel, strides, padding.upper(), dilations=dilation
    ),
    convolve_depthwise=lambda x, kernel, strides, padding, dilation: tf.nn.depthwise_conv2d(
        x, kernel, (1, *strides, 1), padding.upper(), dilations=dilation
    ),
    max_pool=lambda x, size, strides, padding: tf.nn.max_pool2d(x, size, strides, padding.upper()),
    resize=lambda x, size: tf.image.resize(x, size),
    pad=tf.pad,
    concatenate=tf.concat,
    reshape=tf.reshape,
    matmul=tf.matmul,
    mean=tf.reduce_mean,
    maximum=tf.maximum,
    minimum=tf.minimum,
    sigmoid=tf.sigmoid,
)
LAST = "channels_last"
KERAS = Primitives(
    convolve=lambda x, kernel, strides, padding, dilation: keras.ops.conv(
        x, kernel, strides, padding, data_format=LAST, dilation_rate=dilation
    ),
    convolve_depthwise=lambda x, kernel, strides, padding, dilation: keras.ops.depthwise_conv(
        x, kernel, strides, padding, data_format=LAST, dilation_rate=dilation
    ),
    max_pool=lambda x, size, strides, padding: keras.ops.max_pool(x, size, strides, padding, data_format=LAST),
    resize=lambda x, size: keras.ops.image.resize(x, size, data_format=LAST),
    pad=keras.ops.pad,
    concatenate=keras.ops.concatenate,
    reshape=keras.ops.reshape,
    matmul=keras.ops.matmul,
    mean=keras.ops.mean,
    maximum=keras.ops.maximum,
    minimum=keras.ops.minimum,
    sigmoid=keras.ops.sigmoid,
)
