"""State dicts in the safetensors format, by the package of that name; bfloat16 becomes float32."""

from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
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


def write_safetensors(path: Path, state: State, dtype: npt.DTypeLike = np.float32) -> None:
    """Write arrays in order of their names.

    Args:
        path: the file, overwritten.
        state: arrays by name.
        dtype: of the numbers in the file: float32, or float16 for half the size.

    Raises:
        WeightsError: a number is too large for float16.
    """
    arrays = {name: np.ascontiguousarray(state[name], np.float32) for name in sorted(state)}
    with np.errstate(over="ignore"):
        written = {name: array.astype(dtype) for name, array in arrays.items()}
    for name, array in arrays.items():
        if not np.array_equal(np.isfinite(written[name]), np.isfinite(array)):
            raise WeightsError(
                f"The weights {name!r} hold numbers too large for {np.dtype(dtype).name}. Write float32."
            )
    save_file(written, path)


def _widen(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype == ml_dtypes.bfloat16:
        return array.astype(np.float32)
    if array.dtype.kind not in _KINDS:
        raise ValueError(f"tensor {name!r} has the type {array.dtype.name}")
    return array
