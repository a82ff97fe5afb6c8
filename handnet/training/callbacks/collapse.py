"""Warnings of a training run that has stopped learning: one vector for all photos, a loss that stays at its margin."""

import keras
import numpy as np

from handnet.console import Echo

# Unit vectors whose mean is longer than this all point one way.
_COLLAPSED_MEAN_NORM = 0.99
_STUCK_EPOCHS = 3


class CollapseDetector(keras.callbacks.Callback):
    """Warns when all photos get one and the same vector, or the loss stays at the margin, where no gradient helps.

    Args:
        margin: the loss's margin, or None.
        warn: called with one line.
    """

    def __init__(self, margin: float | None, warn: Echo) -> None:
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
