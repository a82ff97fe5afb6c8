"""VGG16 and InceptionV3 of keras.applications, with the pixel normalisation in front, and their own weight files."""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handnet.errors import WeightsError
from handnet.networks.backbones.entry import UNDRAWN
from handnet.networks.backbones.pixels import PixelNormalization
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import Pretrained, to_scale_and_offset

# What keras.applications takes off VGG16's red, green and blue, values 0..255. Its weights take them in reverse order.
_CAFFE_PIXELS = to_scale_and_offset((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), factor=1.0)
_INCEPTION_PIXELS = to_scale_and_offset((127.5,) * 3, (127.5,) * 3, factor=1.0)
_PARTS = {"kernel": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_KINDS = {
    "Activation": "relu",
    "AveragePooling2D": "average",
    "BatchNormalization": "bn",
    "Concatenate": "concat",
    "Conv2D": "conv",
    "MaxPooling2D": "pool",
}


def build_vgg16(image_size_px: int) -> keras.Model:
    """Build VGG16 up to the average of its last map.

    Args:
        image_size_px: side of the square input, from 32; it was trained at 224.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 512).

    Reference: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556, table 1, D.
    """
    return _build(keras.applications.VGG16, image_size_px, "vgg16")


def build_inception_v3(image_size_px: int) -> keras.Model:
    """Build InceptionV3 up to the average of its last map; its layers' names begin with their block's.

    Args:
        image_size_px: side of the square input, from 75; it was trained at 299.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 2048).

    Reference: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, in the form of keras.applications.
    """
    # Its layers are cloned: this one needs no variables, which take most of the time.
    with keras.StatelessScope(initialize_variables=False):
        network = _build(keras.applications.InceptionV3, image_size_px, "inception-v3")
    return _name_by_block(network)


def read_vgg16(path: Path) -> Pretrained:
    """Read a file of keras.applications' VGG16 without its top; WeightsError where it is damaged or of another network."""
    state = _collect(_load(keras.applications.VGG16, path))
    # Its input is blue, green, red; ours is red, green, blue.
    state["block1_conv1.weight"] = state["block1_conv1.weight"][:, ::-1]
    return Pretrained(state, *_CAFFE_PIXELS, "vgg16")


def read_inception_v3(path: Path) -> Pretrained:
    """Read a file of keras.applications' InceptionV3 without its top; WeightsError as in `read_vgg16`."""
    network = _load(keras.applications.InceptionV3, path)
    names = dict(_list_names(network))
    return Pretrained(_collect(network, names), *_INCEPTION_PIXELS, "inception-v3")


def _build(build: Callable[..., keras.Model], image_size_px: int, name: str) -> keras.Model:
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    seen = PixelNormalization()(images)
    return build(include_top=False, weights=None, input_tensor=seen, pooling="avg", name=name)


def _name_by_block(model: keras.Model) -> keras.Model:
    names = dict(_list_names(model))

    def rename(layer: Any) -> Any:
        config = layer.get_config()
        undrawn = {"kernel_initializer": UNDRAWN} if "kernel_initializer" in config else {}
        return type(layer).from_config({**config, **undrawn, "name": names.get(layer.name, layer.name)})

    return keras.models.clone_model(model, clone_function=rename)


def _list_names(model: keras.Model) -> Iterator[tuple[str, str]]:
    """Give each layer of InceptionV3 that Keras numbers through the process a name by its block and its number there."""
    block: list[Any] = []
    num_pools = 0
    for layer in model.layers:
        if type(layer).__name__ in _KINDS and not layer.name.startswith("mixed"):
            block.append(layer)
        num_pools += type(layer).__name__ == "MaxPooling2D"
        ends_stem = num_pools == 2 and type(layer).__name__ == "MaxPooling2D"
        if ends_stem or re.fullmatch(r"mixed\d+", layer.name):
            yield from _number("stem" if ends_stem else layer.name, block)
            block = []
    yield from ((layer.name, "avgpool") for layer in model.layers if layer.name.startswith("global_average"))


def _number(block: str, layers: list[Any]) -> Iterator[tuple[str, str]]:
    counts: dict[str, int] = {}
    # Keras counts in the order in which layers are made; the first of a kind has no number.
    for layer in sorted(layers, key=lambda layer: int((re.findall(r"_(\d+)$", layer.name) or ["0"])[0])):
        kind = _KINDS[type(layer).__name__]
        yield layer.name, f"{block}_{kind}{counts.setdefault(kind, 0)}"
        counts[kind] += 1


def _load(build: Callable[..., keras.Model], path: Path) -> keras.Model:
    network = build(include_top=False, weights=None)
    try:
        with warnings.catch_warnings():
            # Keras only warns where a file lacks a layer, and leaves its random weights.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, UserWarning) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{str(path)!r} is damaged, or not a file of keras.applications' {build.__name__} without its top (notop): "
            f"{reason} Fetch it again, or choose the architecture that it was made for."
        ) from error
    return network


def _collect(network: keras.Model, names: dict[str, str] | None = None) -> State:
    """Return the weights under the layers' names, in PyTorch's layout."""
    state: State = {}
    for layer in network.layers:
        for variable in layer.weights:
            array = np.asarray(keras.ops.convert_to_numpy(variable.value))
            name = (names or {}).get(layer.name, layer.name)
            state[f"{name}.{_PARTS.get(variable.name, variable.name)}"] = (
                array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
            )
    return state
