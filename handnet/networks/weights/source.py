"""Weights from disk, in any of the layouts they are published in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from handnet.errors import WeightsError, show_value
from handnet.files import read_json
from handnet.networks.weights.manifest import (
    MANIFEST_FILE,
    Manifest,
    check_file,
    find_hash_in_name,
    read_manifest,
    read_pixel_values,
)
from handnet.networks.weights.names import drop_unused
from handnet.networks.weights.pth import State, read_pth
from handnet.networks.weights.safetensors import read_safetensors

FORMATS = (
    "a .pth, .pt or .bin state dict, a .safetensors file, an .h5 file of keras.applications (VGG16 and InceptionV3), the "
    "folder of a run, or a folder written by `handnet weights`, transformers, timm or keras-hub"
)

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
Rename = Callable[[State], State]


class Pretrained(NamedTuple):
    """Weights as read.

    Attributes:
        state: arrays under the reference's names, in PyTorch's layout.
        pixel_scale: for each channel, what a value 0..255 is multiplied by; empty where the source does not say.
        pixel_offset: what is then added; empty likewise.
        arch: the backbone that the source says it fits; "" where it does not say.
    """

    state: State
    pixel_scale: tuple[float, ...] = ()
    pixel_offset: tuple[float, ...] = ()
    arch: str = ""


ReadH5 = Callable[[Path], Pretrained]


def read_pretrained(path: Path, rename: Rename = drop_unused, read_h5: ReadH5 | None = None) -> Pretrained:
    """Read weights from a file or folder, checked against the checksum that lies with it or in its name.

    Args:
        path: see `FORMATS`; keras-hub's own folders need Keras and are read by `handnet.networks.backbones.hub`.
        rename: from a state dict of any publisher to the reference's names; of the backbone's entry.
        read_h5: reads an HDF5 file; of the backbone's entry.

    Raises:
        WeightsError: nothing is there, or it is damaged, another file, or of no known layout.
    """
    if not path.exists():
        raise WeightsError(
            f"No weights at {str(path)!r}. Give {FORMATS}; `handnet weights list` says where they come from."
        )
    if path.is_file():
        if (path.parent / MANIFEST_FILE).is_file():
            manifest = read_manifest(path.parent)
            if manifest.file == path.name:
                return _read_recorded(path.parent, manifest, rename, read_h5)
        return _read_file(path, rename, read_h5)
    if (path / "run.json").is_file():
        raise WeightsError(
            f"{str(path)!r} is a run. A source takes the weights of its backbone: handnet weights convert RUN DIR --arch …, and "
            "give DIR."
        )
    if (path / MANIFEST_FILE).is_file():
        return _read_recorded(path, read_manifest(path), rename, read_h5)
    if (path / "config.json").is_file():
        return _read_published_folder(path, rename)
    raise WeightsError(f"{str(path)!r} holds neither {MANIFEST_FILE} nor config.json. Give {FORMATS}.")


def is_keras_hub_folder(path: Path) -> bool:
    """Tell whether a folder is a keras-hub preset."""
    return (path / "config.json").is_file() and "registered_name" in _read_json(path / "config.json")


def is_laid_out(state: State) -> bool:
    """Tell whether a state is under Keras's variable paths already, as `handnet weights convert RUN` writes it."""
    return bool(state) and all("/" in name for name in state)


def to_scale_and_offset(
    mean: tuple[float, ...], std: tuple[float, ...], factor: float = 1 / 255
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scale and offset that equal `(values * factor - mean) / std`."""
    return tuple(factor / s for s in std), tuple(-m / s for m, s in zip(mean, std, strict=True))


def _read_recorded(folder: Path, manifest: Manifest, rename: Rename, read_h5: ReadH5 | None) -> Pretrained:
    read = _read_file(folder / manifest.file, rename, read_h5)
    scale, offset = manifest.pixel_scale or read.pixel_scale, manifest.pixel_offset or read.pixel_offset
    return Pretrained(read.state, scale, offset, manifest.arch)


def _read_file(path: Path, rename: Rename, read_h5: ReadH5 | None) -> Pretrained:
    if _is_hdf5(path):
        if (path.parent / "run.json").is_file():
            raise WeightsError(f"{str(path)!r} is the weights of a run. Give the run: --weights {path.parent}")
        if read_h5 is None:
            raise WeightsError(
                f"{str(path)!r} is an HDF5 file, in which no weights of this backbone are published. Give {FORMATS}."
            )
        if digits := find_hash_in_name(path):
            check_file(path, digits)
        return read_h5(path)
    return Pretrained(_rename(_read_state(path), path, rename))


def _is_hdf5(path: Path) -> bool:
    if path.suffix in (".h5", ".hdf5"):
        return True
    with path.open("rb") as file:
        return file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE


def _read_state(path: Path) -> State:
    if digits := find_hash_in_name(path):
        check_file(path, digits)
    return read_safetensors(path) if path.suffix == ".safetensors" else read_pth(path)


def _rename(state: State, path: Path, rename: Rename) -> State:
    try:
        return rename(state)
    except ValueError as error:
        raise WeightsError(
            f"{str(path)!r} holds arrays that do not belong together: {error}. Fetch it again."
        ) from error


def _read_published_folder(folder: Path, rename: Rename) -> Pretrained:
    files = _list_weight_files(folder)
    state: State = {}
    for file in files:
        state.update(_read_state(file))
    try:
        pixels = _read_pixels(folder)
    except ValueError as error:
        raise WeightsError(f"{str(folder)!r} does not say what its pixels are: {error}. Fetch it again.") from None
    return Pretrained(_rename(state, folder, rename), *pixels)


def _read_pixels(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scale and offset as a published folder says them; nothing where it does not say them.

    Raises:
        ValueError: what it says are not numbers of three channels.
    """
    preprocessor: dict[str, Any] = {}
    if (folder / "preprocessor_config.json").is_file():
        preprocessor = _read_json(folder / "preprocessor_config.json")
        found = [preprocessor.get("image_mean"), preprocessor.get("image_std")]
    else:
        timm = _read_json(folder / "config.json").get("pretrained_cfg")
        found = [timm.get("mean"), timm.get("std")] if isinstance(timm, dict) else [None, None]
    mean, std = (read_pixel_values(name, values or []) for name, values in zip(("mean", "std"), found, strict=True))
    factor = preprocessor.get("rescale_factor", 1 / 255)
    if not isinstance(factor, int | float) or not 0 < factor < float("inf"):
        raise ValueError(f"'rescale_factor' must be a number above 0, found {show_value(factor)}")
    if not (mean and std):
        return (), ()
    if min(std) <= 0:
        raise ValueError(f"'std' must be above 0, found {show_value(std)}")
    return to_scale_and_offset(mean, std, factor)


def _list_weight_files(folder: Path) -> list[Path]:
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        if (folder / f"{name}.index.json").is_file():
            places = _read_json(folder / f"{name}.index.json").get("weight_map")
            if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
                raise WeightsError(f"{name}.index.json in {str(folder)!r} names no weight files. Fetch it again.")
            names = sorted(set(places.values()))
            if outside := [name for name in names if Path(name).name != name]:
                raise WeightsError(f"{str(folder)!r} names a file outside its folder: {outside[0]!r}. Fetch it again.")
            missing = [name for name in names if not (folder / name).is_file()]
            if missing:
                raise WeightsError(
                    f"{str(folder)!r} lacks {missing[0]!r} of {len(names)} weight files. Fetch it again."
                )
            return [folder / name for name in names]
    raise WeightsError(
        f"{str(folder)!r} has a config.json and no model.safetensors or pytorch_model.bin. Fetch the whole folder."
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error}. Fetch it again.") from error
