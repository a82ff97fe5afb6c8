"""Write what an evaluation leaves behind: each file whole or not at all."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handnet.errors import EvaluationError


def write_metrics(path: str | os.PathLike[str], metrics: Mapping[str, object]) -> None:
    """Write the metrics as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        metrics: nested mappings, lists, text and finite numbers; numpy scalars are written as numbers.

    Raises:
        EvaluationError: a value that JSON cannot hold (NaN, an object), or a folder that cannot be written.
    """
    try:
        text = json.dumps(metrics, indent=2, allow_nan=False, default=_to_plain)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"Metrics must be finite numbers and text. Received: {error}.") from error
    write_atomically(path, (text + "\n").encode("utf-8"))


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file beside its name and move it there, so that nobody ever sees half of it.

    Args:
        path: the file; its folder is made.
        content: all of it.

    Raises:
        EvaluationError: a folder that cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, 0o644)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise EvaluationError(
            f"{target} cannot be written: {error.strerror or error}. Give another output folder."
        ) from error


def _to_plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} in the metrics")
