"""The stages of EfficientNet-Lite, and the depths of it that describe a hand. Without Keras.

benchmarks/lite2_network.py builds them in PyTorch.
"""

import math
from typing import NamedTuple


class Stage(NamedTuple):
    """A row of blocks.

    Attributes:
        blocks: how many.
        kernel: side of their depthwise kernels.
        stride: of the first.
        expansion: factor of the channels within a block.
        channels: of their maps.
    """

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_LITE0 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_WIDTH, HEAD_WIDTH = 32, 1280
# Of the batch normalisations.
EPSILON = 1e-3
# Factors of lite0's width and depth that make lite2.
LITE2_FACTORS = (1.1, 1.2)
# Depths that tell hands apart, with the cells along each side of the grid on which their maps are averaged.
LITE2_TAPS = {"block4": 7, "block7": 7, "block10": 7, "block12": 5, "block14": 5, "block17": 4}
LITE0_TAPS = {"block4": 7, "block5": 7, "block7": 7, "block9": 5, "block10": 5, "block12": 4}


def list_stages(width: float, depth: float) -> list[Stage]:
    """Return the stages of an EfficientNet-Lite.

    Args:
        width: factor of the channels; those of stem and head stay.
        depth: factor of the blocks in a stage; first and last stage keep one.

    Reference: Tan and Le 2019, https://arxiv.org/abs/1905.11946, table 1; the lite variants are those of
    tensorflow/tpu, models/official/efficientnet/lite.
    """
    last = len(_LITE0) - 1
    return [
        stage._replace(
            blocks=stage.blocks if number in (0, last) else math.ceil(depth * stage.blocks),
            channels=round_width(width * stage.channels),
        )
        for number, stage in enumerate(_LITE0)
    ]


def round_width(channels: float) -> int:
    """Return the nearest multiple of 8, but never less than nine tenths of the channels."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
