"""State dicts in the safetensors format, by the package of that name; bfloat16 becomes float32."""

from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from handnet.errors import WeightsError
from handnet.networks.weights.pth import State

# Real numbers, integers and booleans, which are read as they are. NumPy has no bfloat16: ml_dtypes adds it.
_KINDS = "fiub"


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
        return {name: _widen(name, array) for name, array in load_file(path).items()}
    except (SafetensorError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} is not a whole safetensors file: {error}. Fetch it again.") from error


def write_safetensors(path: Path, state: State) -> None:
    """Write arrays as float32, in order of their names.

    Args:
        path: the file, overwritten.
        state: arrays by name.
    """
    save_file({name: np.ascontiguousarray(state[name], np.float32) for name in sorted(state)}, path)


def _widen(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype == ml_dtypes.bfloat16:
        return array.astype(np.float32)
    if array.dtype.kind not in _KINDS:
        raise ValueError(f"tensor {name!r} has the type {array.dtype.name}")
    return array
