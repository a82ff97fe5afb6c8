"""Which of a backbone's weights are trained, and how fast: frozen, last blocks, low-rank updates, layer-wise rates."""

import re
from collections.abc import Mapping
from typing import Any

import keras

from handnet.errors import ConfigError
from handnet.networks.backbones import find_backbone

MODES = ("none", "all", "last-N", "lora")


def set_trainable(backbone: keras.Model, mode: str, freeze_norms: bool = False) -> None:
    """Choose what is trained; the rest is frozen, BatchNorm's running averages and dropout included.

    Compile after this call, and do not set `trainable` on a model that contains the backbone: that undoes the choice.

    Args:
        backbone: a model from `build_backbone`.
        mode: "none", "all", "last-N" (the last N ≥ 1 blocks and what follows them) or "lora".
        freeze_norms: leave every BatchNorm as its weights are, statistics, scale and shift; it then runs as in inference.

    Raises:
        ConfigError: for an unknown mode, more blocks than there are, or "lora" on a backbone built without.
    """
    first = _find_first_trained(backbone, mode)
    depths = find_depths(backbone)
    # TensorFlow's Keras skips `x.trainable = v` where it is v already, even where the variables below differ: set twice.
    for value in (False, True):
        backbone.trainable = value
    for layer in backbone.layers:
        is_kept = layer.name == "pixels" or (freeze_norms and isinstance(layer, keras.layers.BatchNormalization))
        layer.trainable = not is_kept and depths[layer.name] >= first
    if mode == "lora":
        _freeze_all_but_lora(backbone)


def list_blocks(backbone: keras.Model) -> list[str]:
    """Return the names of a backbone's blocks, first to last."""
    return list(find_block_outputs(backbone))


def find_block_outputs(backbone: keras.Model) -> dict[str, str]:
    """Return the name of each block's last layer, by the name of the block, first to last."""
    pattern = _compile_blocks(backbone)
    return {match[1]: layer.name for layer in backbone.layers if (match := pattern.match(layer.name))}


def _compile_blocks(backbone: keras.Model) -> re.Pattern[str]:
    blocks = find_backbone(backbone.name).blocks
    # Of no blocks: what matches nothing.
    return re.compile(rf"^({blocks})(_|$)" if blocks else r"(?!)")


def find_depths(backbone: keras.Model) -> dict[str, int]:
    """Return each layer's depth: 0 for the stem, 1 … n for the n blocks, n + 1 for what follows them."""
    blocks, pattern = list_blocks(backbone), _compile_blocks(backbone)
    depths: dict[str, int] = {}
    outside = 0
    for layer in backbone.layers:
        if match := pattern.match(layer.name):
            depths[layer.name] = 1 + blocks.index(match[1])
            outside = len(blocks) + 1
        else:
            depths[layer.name] = outside
    return depths


def find_layer_rates(backbone: keras.Model, decay: float) -> dict[str, float]:
    """Return by which factor each variable's learning rate is multiplied: `decay` once more for every block below the top.

    Args:
        backbone: a model from `build_backbone`.
        decay: in (0, 1]; 0.65 to 0.8 are usual for transformers, 1 changes nothing.

    Returns:
        Factors in (0, 1] by variable path; what follows the last block, and any head, has 1.

    Raises:
        ConfigError: `decay` is out of range, or the backbone has no blocks.

    Reference: Bao et al. 2021 (BEiT), https://arxiv.org/abs/2106.08254, appendix; Clark et al. 2020 (ELECTRA).
    """
    if not 0.0 < decay <= 1.0:
        raise ConfigError(f"`layer_decay` must be above 0 and at most 1. Received: {decay}.")
    blocks = list_blocks(backbone)
    if decay < 1.0 and not blocks:
        raise ConfigError(f"`layer_decay` needs a backbone of blocks; {backbone.name!r} has none. Received: {decay:g}.")
    top = len(blocks) + 1
    depths = find_depths(backbone)
    return {v.path: decay ** (top - depths[layer.name]) for layer in backbone.layers for v in layer.weights}


def scale_rates(
    optimizer_class: type[keras.optimizers.Optimizer], rates: Mapping[str, float]
) -> type[keras.optimizers.Optimizer]:
    """Return the optimizer class with the learning rate of each variable multiplied by its own factor.

    Scaling gradients would do nothing: Adam divides it out again. Weight decay follows the scaled rate, as in PyTorch's
    parameter groups.

    Args:
        optimizer_class: Adam, AdamW, SGD or another of Keras's.
        rates: factors by variable path; 1 for the others.
    """

    class LayerRates(optimizer_class):
        """Multiplies the learning rate of each variable."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Decay and update one variable at its own rate."""
            # TensorFlow's backend passes its own variables, which have no path.
            path = self._trainable_variables[self._get_variable_index(variable)].path
            learning_rate = learning_rate * rates.get(path, 1.0)
            if self.weight_decay is not None and self._use_weight_decay(variable):
                decay = keras.ops.cast(learning_rate * self.weight_decay, variable.dtype)
                self.assign_sub(variable, variable * decay)
            super().update_step(gradient, variable, learning_rate)

        def _apply_weight_decay(self, variables: Any) -> None:
            """Do nothing: `update_step` decays at the variable's own rate."""

    LayerRates.__name__ = optimizer_class.__name__
    return LayerRates


def _find_first_trained(backbone: keras.Model, mode: str) -> int:
    num_blocks = len(list_blocks(backbone))
    if mode in ("all", "lora"):
        return 0
    if mode == "none":
        return num_blocks + 2
    match = re.fullmatch(r"last-(\d+)", mode)
    if not match or int(match[1]) < 1:
        raise ConfigError(f"`trainable` must be one of {', '.join(MODES)}. Received: {mode!r}.")
    if int(match[1]) > num_blocks:
        raise ConfigError(
            f"{backbone.name!r} has {num_blocks} blocks. Received: {mode!r}. Use at most 'last-{num_blocks}'."
        )
    return num_blocks + 1 - int(match[1])


def _freeze_all_but_lora(backbone: keras.Model) -> None:
    blocks = [layer for layer in backbone.layers if getattr(layer, "lora_rank", 0)]
    if not blocks:
        raise ConfigError(
            f"`trainable='lora'` needs a transformer built with `lora_rank` of at least 1. Received: {backbone.name}."
        )
    for layer in backbone.layers:
        layer.trainable = layer in blocks
    for block in blocks:
        for variable in block.trainable_variables:
            variable.trainable = "_lora_" in variable.path
