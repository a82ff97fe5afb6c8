"""PyTorch state dicts read with NumPy alone: no torch, and no code in the file is run."""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handnet.errors import WeightsError

State = dict[str, np.ndarray]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _Storage(NamedTuple):
    """A tensor's memory by name; its bytes may come later in the file."""

    kind: str
    key: str
    length: int


class _View(NamedTuple):
    """A tensor: a strided view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pth(path: Path) -> State:
    """Read the tensors of a state dict that `torch.save` wrote, in its zip format or the older one.

    A checkpoint that keeps its state dict under "state_dict", "model" or "teacher" is unwrapped.

    Args:
        path: a .pth, .pt or .bin file.

    Returns:
        Arrays by name; bfloat16 widened to float32, all other types as stored.

    Raises:
        WeightsError: the file is truncated or damaged, or asks for anything but tensors and plain containers.
    """
    try:
        _check_beginning(path)
        if zipfile.is_zipfile(path):
            found, read_bytes = _read_zip(path)
        else:
            found, read_bytes = _read_legacy(path)
        return _to_arrays(_find_state(found), read_bytes)
    except _ForeignCodeError as error:
        raise WeightsError(
            f"{str(path)!r} asks to run {error}, which no state dict needs; it was not run. "
            "Save the weights alone: torch.save(model.state_dict(), path)."
        ) from None
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise WeightsError(f"{str(path)!r} is not a whole PyTorch file: {error}. Fetch it again.") from error
    except (AttributeError, LookupError, MemoryError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} is damaged or not a state dict: {error}. Fetch it again.") from error


class _ForeignCodeError(Exception):
    """A pickle names something that is neither a tensor nor a plain container."""


def _check_beginning(path: Path) -> None:
    """Say plainly what the most frequent damages are: an error page instead of the file, a download that broke off."""
    with path.open("rb") as file:
        begin = file.read(4)
    if not begin:
        raise EOFError("it is empty")
    if begin == b"PK\x03\x04":
        if not zipfile.is_zipfile(path):
            raise EOFError("it is cut off, its table of contents at the end is missing")
    elif begin[:1] != pickle.PROTO:
        raise pickle.UnpicklingError(f"it begins with {begin!r}")


class _TensorUnpickler(pickle.Unpickler):
    """Knows tensors, their storages and ordered dicts; refuses every other global name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for an allowed global.

        Raises:
            _ForeignCodeError: for every other one.
        """
        if module == "torch" and name in _DTYPES:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self.rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return self.rebuild_parameter
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise _ForeignCodeError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a persistent id names."""
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and pid[1] in _DTYPES):
            raise pickle.UnpicklingError("unknown persistent id")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("storages that are views of others (before PyTorch 0.4) are not read")
        return _Storage(pid[1], str(pid[2]), int(pid[4]))

    def rebuild_tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> _View:
        """Return the view that `_rebuild_tensor_v2` describes."""
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))

    def rebuild_parameter(self, view: Any, *_rest: Any) -> Any:
        """Return the tensor of a parameter."""
        return view


def _read_zip(path: Path) -> tuple[Any, Callable[[_Storage], bytes]]:
    archive = zipfile.ZipFile(path)
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
    if len(pickles) != 1:
        raise zipfile.BadZipFile("no data.pkl inside")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise zipfile.BadZipFile("big-endian tensors are not read")

    def read_bytes(storage: _Storage) -> bytes:
        record = archive.getinfo(f"{root}data/{storage.key}")
        # torch.save does not compress; a compressed record may be a bomb.
        if record.compress_type != zipfile.ZIP_STORED:
            raise zipfile.BadZipFile(f"record {storage.key!r} is compressed")
        return archive.read(record)

    return _TensorUnpickler(io.BytesIO(archive.read(pickles[0]))).load(), read_bytes


def _read_legacy(path: Path) -> tuple[Any, Callable[[_Storage], bytes]]:
    with path.open("rb") as file:
        if _TensorUnpickler(file).load() != _LEGACY_MAGIC or _TensorUnpickler(file).load() != _LEGACY_PROTOCOL:
            raise pickle.UnpicklingError("it does not begin as one")
        _TensorUnpickler(file).load()
        unpickler = _TensorUnpickler(file)
        found = unpickler.load()
        sizes = {view.storage.key: _DTYPES[view.storage.kind] for view in _walk_views(found)}
        contents: dict[str, bytes] = {}
        for key in _TensorUnpickler(file).load():
            length = int.from_bytes(file.read(8), "little")
            itemsize = np.dtype(sizes[str(key)]).itemsize
            contents[str(key)] = file.read(length * itemsize)
    return found, lambda storage: contents[storage.key]


def _walk_views(found: Any) -> list[_View]:
    if isinstance(found, _View):
        return [found]
    if isinstance(found, Mapping):
        return [view for value in found.values() for view in _walk_views(value)]
    if isinstance(found, list | tuple):
        return [view for value in found for view in _walk_views(value)]
    return []


def _find_state(found: Any) -> dict[str, _View]:
    if not isinstance(found, Mapping):
        raise TypeError(f"expected a dict of tensors, found {type(found).__name__}")
    state = {str(name): value for name, value in found.items() if isinstance(value, _View)}
    if state:
        return state
    for name in ("state_dict", "model", "teacher"):
        if name in found:
            return _find_state(found[name])
    raise ValueError(f"no tensors under {[str(name) for name in list(found)[:3]]}")


def _to_arrays(state: dict[str, _View], read_bytes: Callable[[_Storage], bytes]) -> State:
    storages: dict[str, np.ndarray] = {}
    arrays: State = {}
    for name, view in state.items():
        storage = view.storage
        if storage.key not in storages:
            dtype = np.dtype(_DTYPES[storage.kind])
            contents = read_bytes(storage)
            if len(contents) != storage.length * dtype.itemsize:
                raise EOFError(
                    f"tensor {name!r} needs {storage.length * dtype.itemsize} bytes, the file holds {len(contents)}"
                )
            values = np.frombuffer(contents, dtype)
            storages[storage.key] = widen_bfloat16(values) if storage.kind == "BFloat16Storage" else values
        arrays[name] = _take_view(storages[storage.key], view, name)
    return arrays


def _take_view(storage: np.ndarray, view: _View, name: str) -> np.ndarray:
    if len(view.shape) != len(view.strides) or min((*view.shape, *view.strides, view.offset), default=0) < 0:
        raise ValueError(f"tensor {name!r} has shape {view.shape} and strides {view.strides}")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    if 0 in view.shape:
        return np.empty(view.shape, storage.dtype)
    if last >= storage.size:
        raise EOFError(f"tensor {name!r} reaches beyond its storage")
    strides = tuple(stride * storage.itemsize for stride in view.strides)
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides))


def widen_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Return the float32 values of bfloat16 bit patterns given as uint16."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
