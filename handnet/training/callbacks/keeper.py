"""The best weights, the history and the checkpoints of a training run, and when to stop."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from handnet.config.run_folder import WEIGHTS_FILE
from handnet.training.callbacks.checkpoint import save_weights, write_checkpoint, write_history


class Keeper(keras.callbacks.Callback):
    """Keeps the best weights, the history and a checkpoint after each epoch, and stops when patience has run out.

    Args:
        folder: the run folder.
        encoder: the model whose weights are kept.
        state: variables that a checkpoint holds, the optimizer's included.
        patience: epochs without a better `val_mean_rank` (or `val_auc`) before stopping; 0 is never.
        memory: of the last checkpoint.
        swap: a context manager in which the encoder holds the weights to be kept.
        keep_last: keep the last weights, not those with the best validation.
        writes: whether this process writes; of several that train together the first one does.
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
        writes: bool = True,
    ) -> None:
        super().__init__()
        self._folder, self._encoder, self._state, self._patience, self._swap = folder, encoder, state, patience, swap
        self.memory, self._keep_last, self._writes = memory, keep_last, writes

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
                save_weights(self._encoder, self._folder / WEIGHTS_FILE, write=self._writes)
        if self._patience and epoch - memory["best_epoch"] >= self._patience:
            memory["finished"] = self.model.stop_training = True
        if self._writes:
            write_history(self._folder, memory["history"])
            self.memory = write_checkpoint(self._folder, self._state, memory)
