"""A folder of vectors in many parts, as the workers of a cluster write it: what lies in it, and how it is read."""

import io
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from handnet.data.remote.any_folder import Folder
from handnet.errors import EvaluationError
from handnet.files import parse_json

MANIFEST_FILE = "manifest.json"
COMPLETE_FILE = "complete.json"
Columns = Mapping[str, npt.NDArray[Any]]


def name_part(number: int) -> str:
    """Return the name of the vectors of a part."""
    return f"part-{number:06d}.parquet"


def name_record(number: int) -> str:
    """Return the name of the record of a part, which is written last: a part with a record is done."""
    return f"part-{number:06d}.json"


def read_vector_folder(folder: Folder, read: Callable[[IO[bytes]], Columns]) -> Columns:
    """Return the columns of all parts, one after the other.

    Args:
        folder: what `handnet embed --cluster` wrote.
        read: a Parquet file to columns; facts of the file have no dimension.

    Raises:
        EvaluationError: the folder is not complete, or damaged.
        DataError: it cannot be read.
    """
    names = folder.list_names()
    if COMPLETE_FILE not in names:
        advice = "Run `handnet embed` again: it continues." if MANIFEST_FILE in names else ""
        raise EvaluationError(
            f"{str(folder)!r} holds no complete set of vectors: it lacks {COMPLETE_FILE}, which `handnet embed --cluster` writes "
            f"last. {advice}"
        )
    try:
        parts = [int(number) for number in parse_json(folder.read(COMPLETE_FILE))["parts"]]
        found = [dict(read(io.BytesIO(folder.read(name_part(number))))) for number in parts]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise EvaluationError(
            f"{str(folder)!r} is damaged: {str(error).splitlines()[0] if str(error) else error!r}."
        ) from None
    if not found:
        raise EvaluationError(f"{str(folder)!r} holds no vectors: none of its photos could be used.")
    kinds = {frozenset(columns) for columns in found}
    if len(kinds) != 1:
        raise EvaluationError(
            f"{str(folder)!r} is damaged: its parts have different columns. Embed into another folder."
        )
    first = found[0]
    if len(set(parts)) < len(parts):
        raise EvaluationError(f"{str(folder)!r} is damaged: its {COMPLETE_FILE} names a part twice.")
    for name, value in first.items():
        for number, columns in zip(parts, found, strict=True):
            # Facts of the file, such as the model, are the same in all; of columns the width is.
            differs = columns[name] != value if value.ndim == 0 else columns[name].shape[1:] != value.shape[1:]
            if differs:
                raise EvaluationError(
                    f"{str(folder)!r} is damaged: {name_part(number)} has other {name!r} than {name_part(parts[0])}. Embed into "
                    "another folder."
                )
    return {
        name: value if value.ndim == 0 else np.concatenate([columns[name] for columns in found])
        for name, value in first.items()
    }
