"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, as Google published it for phones."""

import re
from typing import Any

import keras
from keras import layers

from handnet.networks.backbones.entry import UNDRAWN
from handnet.networks.backbones.lite_stages import EPSILON, HEAD_WIDTH, STEM_WIDTH, list_stages
from handnet.networks.backbones.pixels import PixelNormalization
from handnet.networks.weights.layout import lay_out_convolutional
from handnet.networks.weights.pth import State

MOMENTUM = 0.99


def build_efficientnet_lite(image_size_px: int, *, width: float, depth: float, name: str) -> keras.Model:
    """Build an EfficientNet-Lite up to the average pool.

    Args:
        image_size_px: side of the square input, from 32; published for 224 (lite0), 240 (lite1) and 260 (lite2).
        width: factor of the channels; those of stem and head stay.
        depth: factor of the blocks in a stage; first and last stage keep one.
        name: of the model.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 1280).

    Reference: Tan and Le 2019, https://arxiv.org/abs/1905.11946, table 1; the lite variants are those of
    tensorflow/tpu, models/official/efficientnet/lite. Blocks are numbered through as in efficientnet-lite-pytorch.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    maps = stack_efficientnet_lite(PixelNormalization()(images), width, depth)
    *_, x = maps.values()
    x = layers.Conv2D(HEAD_WIDTH, 1, use_bias=False, kernel_initializer=UNDRAWN, name="head_conv")(x)
    x = _normalise(x, "head_norm")
    return keras.Model(images, layers.GlobalAveragePooling2D(name="avgpool")(x), name=name)


def stack_efficientnet_lite(x: Any, width: float, depth: float, prefix: str = "") -> dict[str, Any]:
    """Return the maps (B, H, W, C) of an EfficientNet-Lite's blocks by name, "block0" first, of normalised images (B, S, S, 3).

    Args:
        x: the images.
        width: as `build_efficientnet_lite`.
        depth: likewise.
        prefix: the layers' names begin with it.
    """
    name = f"{prefix}stem_conv"
    x = layers.Conv2D(STEM_WIDTH, 3, 2, "same", use_bias=False, kernel_initializer=UNDRAWN, name=name)(x)
    x = _normalise(x, f"{prefix}stem_norm")
    maps: dict[str, Any] = {}
    for blocks, kernel, stride, expansion, channels in list_stages(width, depth):
        for block in range(blocks):
            name = f"block{len(maps)}"
            x = _block(x, kernel, stride if block == 0 else 1, expansion, channels, f"{prefix}{name}")
            maps[name] = x
    return maps


def lay_out_efficientnet_lite(state: State) -> State:
    """Lay out the state dict of efficientnet-lite-pytorch.

    Args:
        state: `_conv_stem.weight`, `_blocks.0._depthwise_conv.weight`, …, without the classifier.

    Returns:
        float32 arrays by Keras variable path.
    """
    renamed = {}
    for name, array in state.items():
        # PyTorch keeps a depthwise kernel as (C, 1, k, k), Keras as (k, k, C, 1).
        array = array.transpose(1, 0, 2, 3) if "._depthwise_conv." in name else array
        for pattern, replacement in _NAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = array
    return lay_out_convolutional(renamed)


_NAMES = (
    (r"^_blocks\.(\d+)\._", r"block\1."),
    (r"^_conv_stem\.", "stem_conv."),
    (r"^_bn0\.", "stem_norm."),
    (r"^_conv_head\.", "head_conv."),
    (r"^_bn1\.", "head_norm."),
)


def _block(x: Any, kernel: int, stride: int, expansion: int, channels: int, name: str) -> Any:
    before, width = x, x.shape[-1]
    if expansion != 1:
        x = _project(x, expansion * width, f"{name}_expand_conv")
        x = _normalise(x, f"{name}_bn0")
    x = layers.DepthwiseConv2D(
        kernel, stride, "same", use_bias=False, depthwise_initializer=UNDRAWN, name=f"{name}_depthwise_conv"
    )(x)
    x = _normalise(x, f"{name}_bn1")
    x = _project(x, channels, f"{name}_project_conv")
    x = layers.BatchNormalization(epsilon=EPSILON, momentum=MOMENTUM, name=f"{name}_bn2")(x)
    return layers.Add(name=f"{name}_add")([x, before]) if stride == 1 and channels == width else x


def _project(x: Any, channels: int, name: str) -> Any:
    return layers.Conv2D(channels, 1, use_bias=False, kernel_initializer=UNDRAWN, name=name)(x)


def _normalise(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(epsilon=EPSILON, momentum=MOMENTUM, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
