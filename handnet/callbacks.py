"""Keras callbacks: retrieval on the validation people, the best weights, checkpoints, warnings of collapse."""

import contextlib
import csv
import io
import json
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from handnet.errors import RunError
from handnet.evaluation.retrieval import compute_person_ranks
from handnet.files import reserve_space, write_bytes, write_with
from handnet.pipeline import EpochTemplates
from handnet.runs import HISTORY_FILE, WEIGHTS_FILE
from handnet.sampling import FloatArray, Pool, average_by_pool

CHECKPOINT_FOLDER = "checkpoint"
# Unit vectors whose mean is longer than this all point one way.
_COLLAPSED_MEAN_NORM = 0.99
_STUCK_EPOCHS = 3
_MAX_PAIRED = 2000
# Measured: 1.7 to 4.2 kB beside the values.
_HDF5_BYTES_PER_VARIABLE = 8192


class Validation(keras.callbacks.Callback):
    """Puts retrieval figures of the validation people into the logs of each epoch, before the other callbacks see them.

    Adds `val_mean_rank`, `val_recall_at_1`, `val_recall_at_5`, `val_recall_at_10` (dorsal → palmar, person templates)
    and `val_mean_norm`, the length of the mean unit vector (1 means collapsed). Where photos have no views of their own
    also `val_auc`: how well the cosine tells pairs of one from pairs of two people.

    Args:
        embed: returns the vectors of the photos of the validation people, float32 (N, D), in the order of the labels.
        identities: their people.
        views: their views.
        swap: a context manager in which the encoder holds the weights to be judged.
        as_pairs: whether to judge the photos in pairs too.

    Attributes:
        embeddings: float32 (N, D), the validation photos' vectors after the last epoch.
    """

    def __init__(
        self,
        embed: Callable[[], npt.NDArray[np.float32]],
        identities: Sequence[str],
        views: Sequence[str],
        swap: Callable[[], contextlib.AbstractContextManager[None]],
        as_pairs: bool = False,
    ) -> None:
        super().__init__()
        self._embed, self._swap, self._as_pairs = embed, swap, as_pairs
        self._identities, self._views = np.asarray(identities), np.asarray(views)
        self.embeddings = np.zeros((0, 0), np.float32)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Embed the validation photos and add the figures to `logs`."""
        if logs is None:
            return
        with self._swap():
            self.embeddings = self._embed()
        ranks = compute_person_ranks(self.embeddings, self._identities, self._views)
        logs["val_mean_rank"] = float(np.mean(ranks))
        for k in (1, 5, 10):
            logs[f"val_recall_at_{k}"] = float(np.mean(ranks <= k))
        if self._as_pairs:
            logs["val_auc"] = compute_all_pairs_auc(self.embeddings, self._identities)
        logs["val_mean_norm"] = float(np.linalg.norm(self.embeddings.mean(axis=0)))


class LookAlikes(keras.callbacks.Callback):
    """Finds anew after each epoch which training people look alike to the encoder, for the batches of the next.

    Args:
        embed: returns the training photos' vectors, float32 (N, D), as the weights are now.
        pools: whose templates they make.
        templates: where they are put.
    """

    def __init__(self, embed: Callable[[], FloatArray], pools: Sequence[Pool], templates: EpochTemplates) -> None:
        super().__init__()
        self._embed, self._pools, self._templates = embed, pools, templates

    def find(self, epoch: int) -> None:
        """Give the templates of an epoch, by the weights that it begins with."""
        self._templates.put(epoch, average_by_pool(self._pools, self._embed()))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Give the templates of the next epoch, if there is one."""
        if epoch + 1 < self.params["epochs"]:
            self.find(epoch + 1)


def compute_all_pairs_auc(embeddings: npt.NDArray[np.float32], identities: npt.NDArray[np.generic]) -> float:
    """Return P(cosine of one person's pair > cosine of two people's) + P(equal) / 2 over all pairs of photos.

    Args:
        embeddings: float32 (N, D), unit norm; of more than 2,000 rows, 2,000 spread evenly are taken.
        identities: (N,), of which some come twice, and not all alike.
    """
    kept = np.unique(np.linspace(0, len(embeddings) - 1, min(len(embeddings), _MAX_PAIRED)).astype(np.int64))
    first, second = np.triu_indices(len(kept), k=1)
    scores = (embeddings[kept] @ embeddings[kept].T)[first, second]
    same = identities[kept][first] == identities[kept][second]
    num_same, num_other = int(same.sum()), int((~same).sum())
    return float((rankdata(scores)[same].sum() - num_same * (num_same + 1) / 2) / (num_same * num_other))


class Keeper(keras.callbacks.Callback):
    """Keeps the best weights, the history and a checkpoint after each epoch, and stops when patience has run out.

    Args:
        folder: the run folder.
        encoder: the model whose weights are kept.
        state: variables that a checkpoint holds, the optimizer's included.
        patience: epochs without a better `val_mean_rank` (or `val_auc`) before stopping; 0 is never.
        memory: of the last checkpoint.
        swap: a context manager in which the encoder holds the weights to be kept.
        keep_last: keep the last weights, whatever the validation says.
    """

    def __init__(
        self,
        folder: Path,
        encoder: keras.Model,
        state: Sequence[Any],
        patience: int,
        memory: dict[str, Any],
        swap: Callable[[], contextlib.AbstractContextManager[None]],
        keep_last: bool = False,
    ) -> None:
        super().__init__()
        self._folder, self._encoder, self._state, self._patience, self._swap = folder, encoder, state, patience, swap
        self.memory, self._keep_last = memory, keep_last

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write what changed; each file whole or not at all, the checkpoint's memory last."""
        row = {"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}}
        memory = self.memory
        memory["history"] = [*memory["history"], row]
        memory["epochs_done"] = epoch + 1
        # Without validation people the last weights are the ones to keep. Few classes of many photos soon have rank 1 all.
        score = -row["val_auc"] if "val_auc" in row else row.get("val_mean_rank", -float(epoch))
        if self._keep_last:
            score = -float(epoch)
        if memory["best"] is None or score < memory["best"]:
            memory["best"], memory["best_epoch"] = score, epoch
            with self._swap():
                save_weights(self._encoder, self._folder / WEIGHTS_FILE)
        if self._patience and epoch - memory["best_epoch"] >= self._patience:
            memory["finished"] = self.model.stop_training = True
        write_history(self._folder, memory["history"])
        self.memory = write_checkpoint(self._folder, self._state, memory)


class CollapseDetector(keras.callbacks.Callback):
    """Warns when all photos get one and the same vector, or the loss stays at the margin, where no gradient helps.

    Args:
        margin: the loss's margin, or None.
        warn: called with one line.
    """

    def __init__(self, margin: float | None, warn: Callable[[str], None]) -> None:
        super().__init__()
        self._margin, self._warn, self._stuck = margin, warn, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the loss and at the mean vector's length."""
        logs = logs or {}
        if not np.isfinite(logs.get("loss", 0.0)):
            self._warn(
                f"epoch {epoch + 1}: the loss is {logs['loss']}. Lower the learning rate or use --precision float32."
            )
        if logs.get("val_mean_norm", 0.0) > _COLLAPSED_MEAN_NORM:
            self._warn(
                f"epoch {epoch + 1}: collapsed: all validation photos have nearly the same vector (mean length "
                f"{logs['val_mean_norm']:.3f}). Lower the learning rate, enlarge the batch, or begin with another loss."
            )
        near = self._margin is not None and abs(logs.get("loss", 0.0) - self._margin) < 0.02 * self._margin
        self._stuck = self._stuck + 1 if near else 0
        if self._stuck == _STUCK_EPOCHS:
            self._warn(
                f"the loss has stayed at the margin ({self._margin:g}) for {_STUCK_EPOCHS} epochs: positives and negatives are "
                "equally far. Lower the learning rate, or begin with another loss."
            )


class EpochLines(keras.callbacks.Callback):
    """Prints one line an epoch: loss, validation figures, time left; and where it is in the epoch, on a terminal."""

    def __init__(self, epochs: int, first_epoch: int, steps: int, chance_rank: float | None) -> None:
        super().__init__()
        self._epochs, self._first, self._steps, self._chance_rank = epochs, first_epoch, steps, chance_rank
        self._begin = self._drawn = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._begin = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Redraw the progress bar, ten times a second at most."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._drawn < 0.1:
            return
        self._drawn = now
        filled = round(24 * (batch + 1) / self._steps)
        loss = f"  loss {logs['loss']:.4f}" if logs and "loss" in logs else ""
        sys.stderr.write(f"\r\x1b[K  [{'#' * filled}{'.' * (24 - filled)}] {batch + 1}/{self._steps}{loss}")
        sys.stderr.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Print the epoch's line."""
        logs = logs or {}
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        elapsed = time.monotonic() - self._begin
        left = elapsed / (epoch + 1 - self._first) * (self._epochs - epoch - 1)
        figures = f"loss {logs.get('loss', float('nan')):.4f}"
        if "val_mean_rank" in logs:
            figures += (
                f"  validation: mean rank {logs['val_mean_rank']:.2f} (chance {self._chance_rank:.1f}), "
                f"R@1 {100 * logs['val_recall_at_1']:.1f} %, R@5 {100 * logs['val_recall_at_5']:.1f} %"
            )
        if "val_auc" in logs:
            figures += f", AUC {logs['val_auc']:.3f}"
        print(f"epoch {epoch + 1}/{self._epochs}  {figures}  {elapsed:.0f} s, about {left:.0f} s left", flush=True)


def save_weights(encoder: keras.Model, path: Path) -> None:
    """Write the encoder's weights whole or not at all."""
    num_bytes = 4 * encoder.count_params() + _HDF5_BYTES_PER_VARIABLE * len(encoder.variables)

    def save(temporary: Path) -> None:
        # A write that fails within HDF5 prints hundreds of lines and crashes the process.
        reserve_space(temporary, num_bytes)
        encoder.save_weights(temporary, overwrite=True)

    write_with(path, save)


def write_history(run_folder: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write the figures of each epoch, whole or not at all."""
    write_bytes(run_folder / HISTORY_FILE, _format_csv(rows))


def write_checkpoint(run_folder: Path, variables: Sequence[Any], memory: dict[str, Any]) -> dict[str, Any]:
    """Write a checkpoint and return its memory, completed.

    `state.json` names the arrays that belong to it and is written last, so a kill between the two files does no harm.
    """
    blank = {"best": None, "best_epoch": -1, "epochs_done": 0, "history": [], "finished": False}
    memory, folder = {**blank, **memory}, run_folder / CHECKPOINT_FOLDER
    name = f"state-{memory['epochs_done']:06d}.npz"

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, **{f"v{k}": keras.ops.convert_to_numpy(v.value) for k, v in enumerate(variables)})

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
        memory: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{str(file)!r} is damaged: {error}. Train the run anew.") from None
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
        raise RunError(f"{str(file)!r} is missing or damaged: {error}. Train the run anew.") from None


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
