"""Reference state dicts laid out for Keras: variable paths, transposed kernels, resampled position table."""

import math
import re

import numpy as np

from handnet.errors import WeightsError
from handnet.networks.weights.positions import resample_table
from handnet.networks.weights.pth import State

_NORM_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_TRANSFORMER_PARTS = (
    (r"^cls_token$", "tokens/class_token"),
    (r"^register_tokens$", "tokens/register_tokens"),
    (r"^patch_embed\.proj\.weight$", "tokens/patches/kernel"),
    (r"^patch_embed\.proj\.bias$", "tokens/patches/bias"),
    (r"^norm\.weight$", "norm/gamma"),
    (r"^norm\.bias$", "norm/beta"),
    (r"^blocks\.(\d+)\.norm([12])\.weight$", r"block\1/norm\2/gamma"),
    (r"^blocks\.(\d+)\.norm([12])\.bias$", r"block\1/norm\2/beta"),
    (r"^blocks\.(\d+)\.ls([12])\.gamma$", r"block\1/scale\2"),
    (r"^blocks\.(\d+)\.(?:attn|mlp)\.(qkv|proj|fc1|fc2)\.weight$", r"block\1/\2/kernel"),
    (r"^blocks\.(\d+)\.(?:attn|mlp)\.(qkv|proj|fc1|fc2)\.bias$", r"block\1/\2/bias"),
)


def lay_out_transformer(state: State, grid: int, rule: str, antialias: bool) -> State:
    """Lay out a transformer's state dict.

    Args:
        state: Meta's names.
        grid: patches per side of the network's input; without effect where there is no position table.
        rule: see `resample_table`.
        antialias: see `resample_table`.

    Returns:
        float32 arrays by Keras variable path.

    Raises:
        WeightsError: the position table is not square.
    """
    laid: State = {}
    for name, array in state.items():
        path = _translate(name)
        kernel = path.endswith("/kernel")
        if kernel and array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        elif kernel and array.ndim == 2:
            array = array.T
        laid[path] = array
    if "pos_embed" in laid:
        table = laid.pop("pos_embed")
        if table.ndim != 3 or table.shape[1] < 1:
            raise WeightsError(f"`pos_embed` must have the shape (1, positions, width). Received: shape {table.shape}.")
        if math.isqrt(table.shape[1]) ** 2 == table.shape[1]:
            # timm folds the class token's position into the token itself where there are registers.
            table = np.concatenate([np.zeros_like(table[:, :1]), table], axis=1)
        if math.isqrt(table.shape[1] - 1) ** 2 != table.shape[1] - 1:
            raise WeightsError(f"`pos_embed` must hold a square of positions. Received: shape {table.shape}.")
        laid["tokens/position_table"] = resample_table(table, grid, rule, antialias)
    for path in [path for path in laid if path.endswith("/qkv/kernel")]:
        bias = path.removesuffix("kernel") + "bias"
        # A kernel of another shape is refused where it is put into the network.
        laid.setdefault(bias, np.zeros(laid[path].shape[-1:], np.float32))
    return _as_float32(laid)


def lay_out_rotary_transformer(state: State) -> State:
    """Lay out DINOv3's state dict: like DINOv2's without a table, and the bias of the keys is zero.

    Meta's files carry a value there and a mask that removes it.
    """
    laid = lay_out_transformer(state, 0, "meta", antialias=False)
    for path in [path for path in laid if path.endswith("/qkv/bias")]:
        width = laid[path].size // 3
        laid[path][width : 2 * width] = 0.0
    return laid


def lay_out_convolutional(state: State) -> State:
    """Lay out the state dict of a convolutional network: a module's dots become underscores.

    Args:
        state: torchvision's or facenet-pytorch's names.

    Returns:
        float32 arrays by Keras variable path.
    """
    laid: State = {}
    for name, array in state.items():
        module, _, part = name.rpartition(".")
        layer = module.replace(".", "_")
        if part == "weight" and array.ndim == 4:
            laid[f"{layer}/kernel"] = array.transpose(2, 3, 1, 0)
        elif part == "weight" and array.ndim == 2:
            laid[f"{layer}/kernel"] = array.T
        elif part == "bias" and f"{module}.running_mean" not in state:
            laid[f"{layer}/bias"] = array
        else:
            laid[f"{layer}/{_NORM_PARTS.get(part, part)}" if module else name] = array
    return _as_float32(laid)


def _translate(name: str) -> str:
    for pattern, replacement in _TRANSFORMER_PARTS:
        if re.match(pattern, name):
            return re.sub(pattern, replacement, name)
    return name


def _as_float32(laid: State) -> State:
    return {path: np.array(array, np.float32, order="C") for path, array in laid.items()}
