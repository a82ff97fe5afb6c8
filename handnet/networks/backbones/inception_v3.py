"""InceptionV3, of keras.applications."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import keras
from keras import layers

from handnet.networks.backbones.pixels import PixelNormalization

EPSILON = 1e-3
Kernel = int | tuple[int, int]


def build_inception_v3(image_size_px: int) -> keras.Model:
    """Build InceptionV3 up to the average of its last map.

    Args:
        image_size_px: side of the square input, from 75; it was trained at 299.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 2048).

    Reference: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, in the form of keras.applications (normalisation
    without scale); each block's convolutions are counted in the order in which it makes them.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = PixelNormalization()(images)
    stem = _begin_block("stem")
    x = stem(stem(stem(x, 32, 3, 2, "valid"), 32, 3, 1, "valid"), 64, 3)
    x = layers.MaxPooling2D(3, 2, name="stem_pool0")(x)
    x = stem(stem(x, 80, 1, 1, "valid"), 192, 3, 1, "valid")
    x = layers.MaxPooling2D(3, 2, name="stem_pool1")(x)
    for index, width in enumerate((32, 64, 64)):
        x = _mix_wide(x, f"mixed{index}", width)
    x = _shrink(x, "mixed3", [[(384, 3)], [(64, 1), (96, 3), (96, 3)]])
    for index, width in enumerate((128, 160, 160, 192), start=4):
        x = _mix_long(x, f"mixed{index}", width)
    x = _shrink(x, "mixed8", [[(192, 1), (320, 3)], [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)]])
    for index in (9, 10):
        x = _mix_split(x, f"mixed{index}")
    features = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(images, features, name="inception-v3")


def _begin_block(name: str) -> Callable[..., Any]:
    return partial(_convolve, name=name, number=count())


def _convolve(
    x: Any, width: int, kernel: Kernel, stride: int = 1, padding: str = "same", *, name: str, number: "count[int]"
) -> Any:
    index = next(number)
    x = layers.Conv2D(
        width, kernel, stride, padding, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv{index}"
    )(x)
    x = layers.BatchNormalization(scale=False, epsilon=EPSILON, momentum=0.9, name=f"{name}_bn{index}")(x)
    return layers.ReLU(name=f"{name}_relu{index}")(x)


def _mix_wide(x: Any, name: str, width: int) -> Any:
    convolve = _begin_block(name)
    first = convolve(x, 64, 1)
    second = convolve(convolve(x, 48, 1), 64, 5)
    third = convolve(convolve(convolve(x, 64, 1), 96, 3), 96, 3)
    fourth = convolve(_average(x, name), width, 1)
    return layers.Concatenate(name=name)([first, second, third, fourth])


def _mix_long(x: Any, name: str, width: int) -> Any:
    convolve = _begin_block(name)
    first = convolve(x, 192, 1)
    second = convolve(x, width, 1)
    second = convolve(convolve(second, width, (1, 7)), 192, (7, 1))
    third = convolve(x, width, 1)
    for kernel in ((7, 1), (1, 7), (7, 1)):
        third = convolve(third, width, kernel)
    third = convolve(third, 192, (1, 7))
    fourth = convolve(_average(x, name), 192, 1)
    return layers.Concatenate(name=name)([first, second, third, fourth])


def _mix_split(x: Any, name: str) -> Any:
    convolve = _begin_block(name)
    first = convolve(x, 320, 1)
    second = convolve(x, 384, 1)
    second = [convolve(second, 384, kernel) for kernel in ((1, 3), (3, 1))]
    third = convolve(convolve(x, 448, 1), 384, 3)
    third = [convolve(third, 384, kernel) for kernel in ((1, 3), (3, 1))]
    fourth = convolve(_average(x, name), 192, 1)
    return layers.Concatenate(name=name)([first, *second, *third, fourth])


def _shrink(x: Any, name: str, branches: list[list[tuple[int, Kernel]]]) -> Any:
    convolve = _begin_block(name)
    outputs = []
    for steps in branches:
        y = x
        for width, kernel in steps[:-1]:
            y = convolve(y, width, kernel)
        outputs.append(convolve(y, *steps[-1], 2, "valid"))
    outputs.append(layers.MaxPooling2D(3, 2, name=f"{name}_pool")(x))
    return layers.Concatenate(name=name)(outputs)


def _average(x: Any, name: str) -> Any:
    return layers.AveragePooling2D(3, 1, "same", name=f"{name}_average")(x)
