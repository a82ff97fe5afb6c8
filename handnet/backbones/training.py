"""Which of a backbone's weights are trained: none, all, the last blocks, or low-rank updates alone."""

import re

import keras

from handnet.errors import ConfigError

MODES = ("none", "all", "last-N", "lora")
_BLOCK_PATTERN = re.compile(r"^(block\d+|layer\d+_\d+|repeat_\d+_\d+|mixed_[67]a)")


def set_trainable(backbone: keras.Model, mode: str) -> None:
    """Choose what is trained; what is not is frozen, BatchNorm's running averages included.

    Compile after this call, and do not set `trainable` on a model that contains the backbone: that undoes the choice.

    Args:
        backbone: a model from `build_backbone`.
        mode: "none", "all", "last-N" (the last N ≥ 1 blocks and what follows them) or "lora".

    Raises:
        ConfigError: for an unknown mode, more blocks than there are, or "lora" on a backbone built without.
    """
    backbone.trainable = True
    if mode == "all":
        _freeze_unless(backbone, lambda layer: True)
        return
    if mode == "none":
        backbone.trainable = False
        return
    if mode == "lora":
        _train_lora_alone(backbone)
        return
    match = re.fullmatch(r"last-(\d+)", mode)
    if not match or int(match[1]) < 1:
        raise ConfigError(f"`trainable` must be one of {', '.join(MODES)}. Received: {mode!r}.")
    kept = set(_last_layers(backbone, int(match[1])))
    _freeze_unless(backbone, lambda layer: layer.name in kept)


def list_blocks(backbone: keras.Model) -> list[str]:
    """Return the names of a backbone's blocks, first to last."""
    names = [match[1] for layer in backbone.layers if (match := _BLOCK_PATTERN.match(layer.name))]
    return list(dict.fromkeys(names))


def _last_layers(backbone: keras.Model, num_blocks: int) -> list[str]:
    blocks = list_blocks(backbone)
    if num_blocks > len(blocks):
        raise ConfigError(
            f"`trainable` must name at most the {len(blocks)} blocks of {backbone.name}. Received: 'last-{num_blocks}'."
        )
    names = [layer.name for layer in backbone.layers]
    first = next(i for i, name in enumerate(names) if name.startswith(blocks[-num_blocks]))
    # A block's layers follow each other in the model except for the shortcut, which may come before: take it by name.
    early = [name for name in names[:first] if name.startswith(tuple(blocks[-num_blocks:]))]
    return early + names[first:]


def _freeze_unless(backbone, keep) -> None:  # type: ignore[no-untyped-def]
    for layer in backbone.layers:
        layer.trainable = keep(layer) and layer.name != "pixels"


def _train_lora_alone(backbone: keras.Model) -> None:
    blocks = [layer for layer in backbone.layers if getattr(layer, "lora_rank", 0)]
    if not blocks:
        raise ConfigError(
            f"`trainable='lora'` needs a transformer built with `lora_rank` of at least 1. Received: {backbone.name}."
        )
    _freeze_unless(backbone, lambda layer: layer in blocks)
    for block in blocks:
        for variable in block.trainable_variables:
            variable.trainable = "_lora_" in variable.path
