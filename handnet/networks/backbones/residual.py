"""Residual convolutional networks: torchvision's ResNet50, and a small one to train from scratch."""

from typing import Any

import keras
from keras import layers

from handnet.networks.backbones.entry import UNDRAWN
from handnet.networks.backbones.pixels import PixelNormalization

EPSILON = 1e-5
MOMENTUM = 0.9


def build_resnet50(image_size_px: int) -> keras.Model:
    """Build ResNet50 v1.5 (stride in the 3×3 convolution) up to the average pool.

    Args:
        image_size_px: side of the square input, from 32.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 2048).

    Reference: He et al. 2015, https://arxiv.org/abs/1512.03385, table 1; layer names and paddings are torchvision's.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = PixelNormalization()(images)
    x = _convolve(x, 64, 7, 2, "conv1", "bn1")
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    for stage, (width, num_blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(num_blocks):
            stride = 2 if block == 0 and stage > 1 else 1
            x = _bottleneck(x, width, stride, f"layer{stage}_{block}")
    features = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(images, features, name="resnet50")


def build_small(image_size_px: int) -> keras.Model:
    """Build a residual network of 1.9 million parameters, meant for training from scratch at 96 to 128 px on a CPU.

    Its last map is averaged to a grid of 3 × 3 and not to one cell: hands are photographed in much the same pose, and
    where in the picture a finger ends tells people apart.

    Args:
        image_size_px: side of the square input, from 32.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 2304), 256 for each cell; at 32 px and from 49 to 64 px
        the grid is 2 × 2 and the features (B, 1024).
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = PixelNormalization()(images)
    x = _convolve(x, 32, 3, 2, "conv1", "bn1")
    for stage, (width, num_blocks) in enumerate(((64, 2), (128, 3), (256, 1)), start=1):
        for block in range(num_blocks):
            x = _basic(x, width, 2 if block == 0 else 1, f"layer{stage}_{block}")
    cells = layers.AveragePooling2D(-(-x.shape[1] // 3), padding="same", name="avgpool")(x)
    features = layers.Flatten(name="grid")(cells)
    return keras.Model(images, features, name="small")


def build_mini(image_size_px: int) -> keras.Model:
    """Build a plain network of 0.3 million parameters, a seventh of the work of `build_small`: for trials of minutes.

    Args:
        image_size_px: side of the square input, from 32.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, F), 128 for each cell of the last map's grid: F is
        1152 at 96 px.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    return keras.Model(images, stack_mini(PixelNormalization()(images)), name="mini")


def stack_mini(x: Any, prefix: str = "") -> Any:
    """Return the features (B, F) of `build_mini` from normalised images (B, S, S, 3); the layers' names begin with a prefix."""
    for layer, (width, stride) in enumerate(((24, 2), (48, 1), (96, 1), (128, 1), (128, 1)), start=1):
        x = _convolve(x, width, 3, stride, f"{prefix}conv{layer}", f"{prefix}bn{layer}")
        if layer < 4:
            x = layers.MaxPooling2D(2, padding="same", name=f"{prefix}pool{layer}")(x)
    cells = layers.AveragePooling2D(2, padding="same", name=f"{prefix}avgpool")(x)
    return layers.Flatten(name=f"{prefix}grid")(cells)


def _convolve(x: Any, width: int, kernel: int, stride: int, conv: str, norm: str, relu: bool = True) -> Any:
    # PyTorch pads (k-1)/2 on both sides; "same" pads less on the left where the stride is 2.
    if kernel > 1 and stride > 1:
        x = layers.ZeroPadding2D((kernel - 1) // 2, name=f"{conv}_pad")(x)
    padding = "valid" if stride > 1 or kernel == 1 else "same"
    x = layers.Conv2D(width, kernel, stride, padding, use_bias=False, kernel_initializer=UNDRAWN, name=conv)(x)
    x = layers.BatchNormalization(epsilon=EPSILON, momentum=MOMENTUM, name=norm)(x)
    return layers.ReLU(name=f"{norm}_relu")(x) if relu else x


def _shortcut(x: Any, width: int, stride: int, name: str) -> Any:
    if stride == 1 and x.shape[-1] == width:
        return x
    return _convolve(x, width, 1, stride, f"{name}_downsample_0", f"{name}_downsample_1", relu=False)


def _bottleneck(x: Any, width: int, stride: int, name: str) -> Any:
    shortcut = _shortcut(x, 4 * width, stride, name)
    x = _convolve(x, width, 1, 1, f"{name}_conv1", f"{name}_bn1")
    x = _convolve(x, width, 3, stride, f"{name}_conv2", f"{name}_bn2")
    x = _convolve(x, 4 * width, 1, 1, f"{name}_conv3", f"{name}_bn3", relu=False)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def _basic(x: Any, width: int, stride: int, name: str) -> Any:
    shortcut = _shortcut(x, width, stride, name)
    x = _convolve(x, width, 3, stride, f"{name}_conv1", f"{name}_bn1")
    x = _convolve(x, width, 3, 1, f"{name}_conv2", f"{name}_bn2", relu=False)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)
