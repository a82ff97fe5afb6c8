"""The safetensors format: a JSON header and raw arrays."""

import json
import math
from pathlib import Path

import numpy as np

from handnet.errors import WeightsError
from handnet.networks.weights.pth import State, widen_bfloat16

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_MAX_HEADER_BYTES = 100_000_000


def read_safetensors(path: Path) -> State:
    """Read all tensors of a .safetensors file.

    Args:
        path: the file.

    Returns:
        Arrays by name; bfloat16 widened to float32.

    Raises:
        WeightsError: the file is truncated, damaged or holds a type that is not read.
    """
    try:
        with path.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
            if not 2 <= header_size <= _MAX_HEADER_BYTES:
                raise ValueError(f"its header claims {header_size} bytes")
            header = json.loads(file.read(header_size))
            body = file.read()
        header.pop("__metadata__", None)
        state = {name: _read_tensor(name, entry, body) for name, entry in header.items()}
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if end != len(body):
            raise ValueError(f"its header describes {end} bytes and {len(body)} follow")
        return state
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} is not a whole safetensors file: {error}. Fetch it again.") from error


def write_safetensors(path: Path, state: State) -> None:
    """Write arrays as float32, in order of their names.

    Args:
        path: the file, overwritten.
        state: arrays by name.
    """
    header: dict[str, dict[str, object]] = {}
    end = 0
    for name in sorted(state):
        begin, end = end, end + 4 * state[name].size
        header[name] = {"dtype": "F32", "shape": list(state[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(state):
            file.write(np.ascontiguousarray(state[name], "<f4").tobytes())


def _read_tensor(name: str, entry: dict[str, object], body: bytes) -> np.ndarray:
    kind, shape = str(entry["dtype"]), [int(n) for n in _as_list(entry["shape"])]
    begin, end = (int(n) for n in _as_list(entry["data_offsets"]))
    if kind not in _DTYPES:
        raise ValueError(f"tensor {name!r} has the type {kind}")
    dtype = np.dtype(_DTYPES[kind])
    if min(shape, default=0) < 0 or not 0 <= begin <= end <= len(body):
        raise ValueError(f"tensor {name!r} lies outside the file")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"tensor {name!r} of shape {shape} has {end - begin} bytes")
    values = np.frombuffer(body, dtype, math.prod(shape), begin)
    return (widen_bfloat16(values) if kind == "BF16" else values).reshape(shape)


def _as_list(value: object) -> list[int]:
    if not isinstance(value, list):
        raise ValueError("a list was expected in its header")
    return value
