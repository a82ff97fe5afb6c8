"""Checkpoints: what an interrupted training run needs to go on as if it had not been interrupted."""

import contextlib
import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handnet.config.run_folder import HISTORY_FILE
from handnet.errors import RunError
from handnet.files import read_json, write_bytes, write_with

CHECKPOINT_FOLDER = "checkpoint"


class _WeightsInMemory(io.BytesIO):
    """A file of weights before it is on the disk, with the name by which Keras chooses the format."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def save_weights(model: keras.Model, path: Path, *, write: bool = True) -> None:
    """Write the weights of a model, whole or not at all.

    They are put together in memory: a write that fails within HDF5 prints its own tracebacks, and the process crashes.
    Of several processes that train together all call this, since Keras may make variables as it saves, and one writes.

    Raises:
        DiskError: they cannot be written.
    """
    memory = _WeightsInMemory()
    model.save_weights(memory)
    if write:
        with memory.getbuffer() as contents:
            write_bytes(path, contents)


def write_history(run_folder: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write the figures of each epoch, whole or not at all."""
    write_bytes(run_folder / HISTORY_FILE, _format_csv(rows))


def new_memory() -> dict[str, Any]:
    """Return what the checkpoint of a training that has not begun remembers."""
    return {"best": None, "best_epoch": -1, "epochs_done": 0, "history": [], "finished": False}


def write_checkpoint(run_folder: Path, variables: Sequence[Any], memory: dict[str, Any]) -> dict[str, Any]:
    """Write a checkpoint and return its memory, completed by that of `new_memory`.

    `state.json` names the arrays that belong to it and is written last, so a kill between the two files does no harm.
    """
    memory, folder = {**new_memory(), **memory}, run_folder / CHECKPOINT_FOLDER
    name = f"state-{memory['epochs_done']:06d}.npz"

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, **{f"v{k}": v.numpy() for k, v in enumerate(variables)})

    write_with(folder / name, save)
    write_bytes(folder / "state.json", json.dumps({**memory, "arrays": name}).encode())
    for old in folder.glob("state-*.npz"):
        if old.name != name:
            old.unlink()
    return memory


def read_memory(folder: Path) -> dict[str, Any]:
    """Return what the last checkpoint remembers, or an empty dict where there is none.

    Raises:
        RunError: it is damaged.
    """
    file = folder / CHECKPOINT_FOLDER / "state.json"
    if not file.exists():
        return {}
    try:
        memory = read_json(file)
    except (OSError, ValueError) as error:
        raise RunError(f"{str(file)!r} is damaged: {error}. Train it again.") from None
    return memory


def restore_checkpoint(folder: Path, variables: Sequence[Any], memory: dict[str, Any]) -> None:
    """Assign the arrays of a checkpoint to the variables of a model and optimizer built as before.

    Raises:
        RunError: the arrays are missing, damaged or others.
    """
    file = folder / CHECKPOINT_FOLDER / memory["arrays"]
    try:
        with np.load(file, allow_pickle=False) as arrays:
            for k, variable in enumerate(variables):
                variable.assign(arrays[f"v{k}"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{str(file)!r} is missing or damaged: {error}. Train it again.") from None


def remove_checkpoint(folder: Path) -> None:
    """Delete the checkpoint of a finished run: its weights are kept elsewhere."""
    shutil.rmtree(folder / CHECKPOINT_FOLDER, ignore_errors=True)


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Let the model hold the optimizer's moving average of its weights; without one, nothing changes."""
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not inner.use_ema:
        yield
        return
    kept = [variable.numpy() for variable in model.trainable_variables]
    inner.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, kept, strict=True):
            variable.assign(value)


def _format_csv(rows: Sequence[dict[str, float]]) -> bytes:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
