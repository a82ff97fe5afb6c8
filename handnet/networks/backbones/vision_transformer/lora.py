"""Low-rank updates folded into the matrices that they update."""

from typing import Any

import keras
import numpy as np


def merge_lora(model: keras.Model) -> keras.Model:
    """Return the same network without LoRA, the updates added to the attention's matrices.

    Outputs differ by rounding alone. What is exported is then as fast as a network that never had them.

    Args:
        model: a backbone, or a functional model that contains one; unchanged. Without LoRA it is returned itself.
    """
    if not _list_lora_blocks(model):
        return model
    merged = type(model).from_config(_without_lora(model.get_config()))
    values = {v.path: np.asarray(keras.ops.convert_to_numpy(v.value)) for v in model.weights}
    scales = {layer.name: layer.lora_alpha / layer.lora_rank for layer in _list_lora_blocks(model)}
    for path, down in [(path, down) for path, down in values.items() if "_lora_down/" in path]:
        block, name, _ = path.rsplit("/", 2)
        up = values[path.replace("_lora_down/", "_lora_up/")]
        kernel = f"{block}/{name.removesuffix('_lora_down')}/kernel"
        values[kernel] = values[kernel] + scales[block.rsplit("/", 1)[-1]] * (down @ up)
    for variable in merged.weights:
        variable.assign(values[variable.path])
    return merged


def _list_lora_blocks(model: keras.Model) -> list[Any]:
    blocks = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            blocks += _list_lora_blocks(layer)
        elif getattr(layer, "lora_rank", 0):
            blocks.append(layer)
    return blocks


def _without_lora(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: 0 if key == "lora_rank" else _without_lora(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_without_lora(value) for value in config)
    return config
