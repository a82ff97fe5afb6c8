"""keras-hub presets, from its hubs or a local folder, as state dicts of the reference implementation."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handnet.errors import WeightsError
from handnet.files import read_json
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import Pretrained, Rename

_RENAMES = (
    (r"^embeddings/patch_embeddings/projection", "embeddings.patch_embeddings.projection"),
    (r"^encoder/layers_(\d+)/", r"encoder.layer.\1."),
    (r"attention/attention/attention_output", "attention.output.dense"),
    (r"attention/attention/(query|key|value)", r"attention.attention.\1"),
    (r"^conv1_conv", "conv1"),
    (r"^conv1_bn", "bn1"),
    (r"/(kernel|gamma)$", ".weight"),
    (r"/beta$", ".bias"),
    (r"/moving_mean$", ".running_mean"),
    (r"/moving_variance$", ".running_var"),
)


def read_preset(preset: str, rename: Rename, fetchable: str = "") -> Pretrained:
    """Read a keras-hub preset of DINOv2, DINOv3, ResNet or VGG; another network's weights will not fit.

    Args:
        preset: its name in keras-hub, a "kaggle://" or "hf://" address, or a local folder.
        rename: from transformers' or torchvision's names to the reference's; of the backbone's entry.
        fetchable: name of the same weights for `handnet weights fetch`, for the message; "" where there are none.

    Raises:
        WeightsError: the hub cannot be reached, or the preset is unknown or damaged.
    """
    # Imported here: it takes seconds, and only presets need it.
    import keras_hub

    try:
        backbone = keras_hub.models.Backbone.from_preset(preset, dtype="float32")
    except OSError as error:
        fetch = f"`handnet weights fetch {fetchable} DIR` there" if fetchable else "what `handnet weights list` names"
        raise WeightsError(
            f"The preset {preset!r} cannot be fetched from {_find_address(preset)} ({type(error).__name__}). On another machine, "
            f"which has a network: {fetch}, and `--weights DIR` here. Works now, without a network: `--arch hand`, or to train "
            "from scratch with `--weights none`."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        first_line = str(error).splitlines()[0]
        raise WeightsError(f"The preset {preset!r} cannot be read: {first_line}") from error
    return Pretrained(rename(collect_state(backbone)), *_read_pixels(preset))


def collect_state(backbone: keras.Model) -> State:
    """Return the weights of a keras-hub backbone under transformers' or torchvision's names, in PyTorch's layout."""
    state: State = {}
    for variable in backbone.weights:
        # The table at the size of the input follows from the other, which has the published size.
        if variable.path.endswith("interpolated_position_embeddings"):
            continue
        # A backbone read from a preset prefixes its layers with its own name.
        path = variable.path.removeprefix(f"{backbone.name}_")
        array = np.asarray(keras.ops.convert_to_numpy(variable.value))
        state[_rename(path)] = _to_torch_layout(path, array)
    return state


def _rename(path: str) -> str:
    path = re.sub(r"^stack(\d+)_block(\d+)_", lambda m: f"layer{int(m[1]) + 1}.{m[2]}.", path)
    path = re.sub(r"\.0_conv/", ".downsample.0/", path)
    path = re.sub(r"\.0_bn/", ".downsample.1/", path)
    path = re.sub(r"\.([123])_(conv|bn)/", r".\2\1/", path)
    for pattern, replacement in _RENAMES:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")


def _to_torch_layout(path: str, array: np.ndarray) -> np.ndarray:
    if re.search(r"/attention/attention/(query|key|value)/", path):
        # Heads are an axis of their own in keras-hub: (width, heads, head width) and (heads, head width).
        return array.reshape(array.shape[0], -1).T if path.endswith("/kernel") else array.reshape(-1)
    if path.endswith("/attention_output/kernel"):
        return array.reshape(-1, array.shape[-1]).T
    if path.endswith("/kernel"):
        return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
    return array


def _find_address(preset: str) -> str:
    """Return the address that a preset is fetched from, for people to look at."""
    import keras_hub

    handle = preset if "://" in preset else keras_hub.models.Backbone.presets.get(preset, {}).get("kaggle_handle", "")
    kind, _, name = handle.partition("://")
    return {"kaggle": "https://www.kaggle.com/models/", "hf": "https://huggingface.co/"}.get(kind, "its hub ") + name


def _read_pixels(preset: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    import keras_hub

    if Path(preset).is_dir():
        file = Path(preset) / "image_converter.json"
        try:
            converter = read_json(file)["config"] if file.is_file() else {}
            scale, offset = converter.get("scale"), converter.get("offset")
            return ((), ()) if scale is None or offset is None else (_spread(scale), _spread(offset))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{str(file)!r} does not say what the pixels are: {error}. Fetch it again.") from None
    loaded = keras_hub.layers.ImageConverter.from_preset(preset)
    scale, offset = loaded.scale, loaded.offset
    if scale is None or offset is None:
        return (), ()
    return _spread(scale), _spread(offset)


def _spread(value: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in np.broadcast_to(value, (3,)))
