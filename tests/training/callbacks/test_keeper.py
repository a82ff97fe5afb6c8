"""What is kept of a training run after each epoch, and when it stops."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from handnet.training.callbacks.checkpoint import read_memory
from handnet.training.callbacks.keeper import Keeper

BLANK = {"best": None, "best_epoch": -1, "epochs_done": 0, "history": [], "finished": False}


def follow(folder: Path, logs: list[dict[str, float]], patience: int = 0, keep_last: bool = False) -> tuple[float, int]:
    """Return the value that is kept as weights, and the number of epochs until the stop."""
    encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    keeper = Keeper(folder, encoder, encoder.variables, patience, {**BLANK}, contextlib.nullcontext, keep_last)
    keeper.set_model(SimpleNamespace(stop_training=False))
    for epoch, row in enumerate(logs):
        encoder.set_weights([np.full((1, 1), float(epoch))])
        keeper.on_epoch_end(epoch, row)
        if keeper.model.stop_training:
            break
    encoder.load_weights(folder / "model.weights.h5")
    return float(encoder.get_weights()[0][0, 0]), read_memory(folder)["epochs_done"]


@pytest.mark.parametrize(
    ("logs", "kept"),
    [
        ([{"val_mean_rank": rank} for rank in (3.0, 2.0, 2.0, 4.0)], 1.0),
        # Of people without views the AUC decides, and a higher one is better.
        ([{"val_auc": auc, "val_mean_rank": 1.0} for auc in (0.5, 0.9, 0.7)], 1.0),
        ([{"loss": loss} for loss in (0.1, 0.2, 0.3)], 2.0),
    ],
    ids=["mean rank", "auc", "no validation"],
)
def test_the_best_weights_are_kept_and_without_validation_the_last(
    logs: list[dict[str, float]], kept: float, tmp_path: Path
) -> None:
    assert follow(tmp_path / "run", logs) == (kept, len(logs))
    assert follow(tmp_path / "last", logs, keep_last=True) == (len(logs) - 1.0, len(logs))


def test_patience_counts_epochs_since_the_best(tmp_path: Path) -> None:
    logs = [{"val_mean_rank": rank} for rank in (3.0, 2.0, 2.5, 2.5, 1.0)]
    assert follow(tmp_path, logs, patience=2) == (1.0, 4)
    assert read_memory(tmp_path)["finished"]
