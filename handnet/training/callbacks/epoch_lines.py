"""One line in the terminal for each epoch."""

import sys
import time

import keras

from handnet.console import Echo


class EpochLines(keras.callbacks.Callback):
    """Prints one line an epoch: loss, validation figures, time left; and a progress bar of the epoch, on a terminal.

    Args:
        epochs: epochs in all.
        first_epoch: the first one that is trained now, from 0.
        steps: batches in an epoch.
        chance_rank: mean rank of a random order of the validation people.
        echo: prints one line.
    """

    def __init__(self, epochs: int, first_epoch: int, steps: int, chance_rank: float, echo: Echo = print) -> None:
        super().__init__()
        self._echo = echo
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
        self._echo(f"epoch {epoch + 1}/{self._epochs}  {figures}  {elapsed:.0f} s, about {left:.0f} s left")
