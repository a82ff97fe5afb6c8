"""The HDF5 files of keras.applications, in the layout of Keras 3 (`.weights.h5`) and in that of Keras 1 and 2."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from handnet.errors import WeightsError
from handnet.networks.weights.pth import State

# Convolutions of keras.applications' InceptionV3 by block, in the order in which it makes them.
INCEPTION_V3_BLOCKS = {
    "stem": 5,
    **{f"mixed{i}": 7 for i in range(3)},
    "mixed3": 4,
    **{f"mixed{i}": 10 for i in range(4, 8)},
    "mixed8": 6,
    "mixed9": 9,
    "mixed10": 9,
}
# Caffe's, which the weights of VGG16 came from: red, green and blue, taken off values 0..255.
_CAFFE_MEANS = (123.68, 116.779, 103.939)
_KNOWN = "VGG16 and InceptionV3 of keras.applications"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class KerasWeights(NamedTuple):
    """A network of keras.applications, as `handnet.networks.weights.source.Pretrained` without the import.

    Attributes:
        state: arrays under keras.applications' names (VGG16) or by block (InceptionV3), in PyTorch's layout, for RGB.
        pixel_scale: for each channel, what a value 0..255 is multiplied by.
        pixel_offset: what is then added.
        arch: the backbone that it fits.
    """

    state: State
    pixel_scale: tuple[float, ...]
    pixel_offset: tuple[float, ...]
    arch: str


def is_keras_file(path: Path) -> bool:
    """Tell whether a file is HDF5 by its first bytes, or claims to be by its name."""
    if path.suffix in (".h5", ".hdf5"):
        return True
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def read_keras_file(path: Path) -> KerasWeights:
    """Read a weight file of keras.applications' VGG16 or InceptionV3, with its top or without.

    Args:
        path: what keras.applications downloads ("…_tf_dim_ordering_tf_kernels_notop.h5"), or `save_weights` wrote.

    Raises:
        WeightsError: it is damaged, or of another network.
    """
    try:
        with h5py.File(path, "r") as file:
            layers = _read_keras_2(file) if "layer_names" in file.attrs else _read_keras_3(file)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} is not a whole HDF5 file of weights: {error}. Fetch it again.") from error
    if "block1_conv1" in layers:
        return _convert_vgg16(layers, path)
    if {"conv1_conv", "res2a_branch2a"} & layers.keys():
        raise WeightsError(
            f"{str(path)!r} is a ResNet of keras.applications, which is another network than 'resnet50' here (its "
            "convolutions have biases, and its blocks shrink the picture in their first one). Give torchvision's or timm's "
            "ResNet50, or the preset."
        )
    if sum(name.startswith("conv2d") for name in layers) == sum(INCEPTION_V3_BLOCKS.values()):
        return _convert_inception_v3(layers, path)
    if (path.parent / "run.json").is_file():
        raise WeightsError(f"{str(path)!r} is the weights of a run. Give the run: --weights {path.parent}")
    first = ", ".join(list(layers)[:3]) or "nothing"
    raise WeightsError(
        f"{str(path)!r} holds {first}, …: no network that is known. Of HDF5 files those of {_KNOWN} fit."
    )


def _read_keras_2(file: Any) -> dict[str, list[np.ndarray]]:
    layers = {}
    for name in _as_text(file.attrs["layer_names"]):
        weights = _as_text(file[name].attrs["weight_names"])
        if weights:
            layers[name] = [np.asarray(file[name][weight]) for weight in weights]
    return layers


def _read_keras_3(file: Any) -> dict[str, list[np.ndarray]]:
    layers = {}
    for key, group in file["layers"].items():
        variables = group.get("vars", {})
        if len(variables):
            if "name" not in variables.attrs:
                raise ValueError(f"{key} has no name of its own, as in files of the first Keras 3")
            layers[str(variables.attrs["name"])] = [np.asarray(variables[str(i)]) for i in range(len(variables))]
    return layers


def _as_text(names: Any) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _convert_vgg16(layers: dict[str, list[np.ndarray]], path: Path) -> KerasWeights:
    state: State = {}
    for name, arrays in layers.items():
        if name in ("fc1", "fc2", "predictions"):
            continue
        kernel, bias = _take(arrays, 2, name, path)
        state[f"{name}.weight"], state[f"{name}.bias"] = _to_torch(kernel, name, path), bias
    # It was trained on BGR: turned round here, the first convolution takes RGB.
    state["block1_conv1.weight"] = state["block1_conv1.weight"][:, ::-1]
    return KerasWeights(state, (1.0, 1.0, 1.0), tuple(-mean for mean in _CAFFE_MEANS), "vgg16")


def _convert_inception_v3(layers: dict[str, list[np.ndarray]], path: Path) -> KerasWeights:
    # The layers have no names of their own: Keras counts them as they are made, from whatever the session had come to.
    convolutions = sorted((name for name in layers if name.startswith("conv2d")), key=_number)
    norms = sorted((name for name in layers if name.startswith("batch_normalization")), key=_number)
    names = [(block, i) for block, count in INCEPTION_V3_BLOCKS.items() for i in range(count)]
    if len(norms) != len(names):
        raise WeightsError(
            f"{str(path)!r} has {len(norms)} normalisations instead of {len(names)}. Of HDF5 files {_KNOWN} fit."
        )
    state: State = {}
    for (block, i), convolution, norm in zip(names, convolutions, norms, strict=True):
        (kernel,) = _take(layers[convolution], 1, convolution, path)
        state[f"{block}_conv{i}.weight"] = _to_torch(kernel, convolution, path)
        beta, mean, variance = _take(layers[norm], 3, norm, path)
        state[f"{block}_bn{i}.bias"] = beta
        state[f"{block}_bn{i}.running_mean"], state[f"{block}_bn{i}.running_var"] = mean, variance
    return KerasWeights(state, (1 / 127.5,) * 3, (-1.0,) * 3, "inception-v3")


def _number(name: str) -> int:
    match = re.search(r"_(\d+)$", name)
    return int(match[1]) if match else 0


def _take(arrays: list[np.ndarray], count: int, name: str, path: Path) -> list[np.ndarray]:
    if len(arrays) != count:
        raise WeightsError(
            f"{str(path)!r}: {name} has {len(arrays)} arrays instead of {count}. Of HDF5 files those of {_KNOWN} fit."
        )
    return arrays


def _to_torch(kernel: np.ndarray, name: str, path: Path) -> np.ndarray:
    if kernel.ndim != 4:
        raise WeightsError(f"{str(path)!r}: {name} has a kernel of shape {kernel.shape}; four axes expected.")
    return kernel.transpose(3, 2, 0, 1)
