"""Checkpoints of an interrupted run."""

import gc
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.errors import DiskError, RunError
from handnet.training.callbacks.checkpoint import (
    averaged_weights,
    read_memory,
    remove_checkpoint,
    restore_checkpoint,
    save_weights,
    write_checkpoint,
    write_history,
)


def test_a_checkpoint_is_restored_and_replaces_the_one_before(tmp_path: Path) -> None:
    variables = [keras.Variable([1.0, 2.0]), keras.Variable(3)]
    assert read_memory(tmp_path) == {}
    write_checkpoint(tmp_path, variables, {"epochs_done": 1})
    variables[0].assign([5.0, 6.0])
    write_checkpoint(tmp_path, variables, {"epochs_done": 2, "best": 0.5})
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == ["state-000002.npz", "state.json"]
    memory = read_memory(tmp_path)
    assert (memory["epochs_done"], memory["best"], memory["history"]) == (2, 0.5, [])
    variables[0].assign([0.0, 0.0])
    restore_checkpoint(tmp_path, variables, memory)
    assert np.asarray(variables[0]).tolist() == [5.0, 6.0]
    with pytest.raises(RunError, match="state-000002.npz' is missing or damaged"):
        restore_checkpoint(tmp_path, [*variables, keras.Variable(0.0)], memory)
    remove_checkpoint(tmp_path)
    assert read_memory(tmp_path) == {}


def test_the_history_has_a_column_for_each_figure_of_any_epoch(tmp_path: Path) -> None:
    write_history(tmp_path, [{"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": 0.25, "val_auc": 0.9}])
    assert (tmp_path / "history.csv").read_text() == "epoch,loss,val_auc\n0,0.5,\n1,0.25,0.9\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of a file's size")
def test_a_disk_that_is_full_leaves_the_weights_of_before_and_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import resource

    model = keras.Sequential([keras.Input((200,)), keras.layers.Dense(200), keras.layers.Dense(200)])
    save_weights(model, tmp_path / "model.weights.h5")
    before = (tmp_path / "model.weights.h5").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow beyond this: the writes within HDF5 would fail in its middle, and crash the process.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DiskError, match=r"Cannot write .*: File too large\. Is the disk full\?$"):
            save_weights(model, tmp_path / "model.weights.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    gc.collect()
    assert capfd.readouterr().err == ""
    assert [path.name for path in tmp_path.iterdir()] == ["model.weights.h5"]
    assert (tmp_path / "model.weights.h5").read_bytes() == before


def test_the_average_is_held_for_a_while_and_taken_back() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    for _ in range(3):
        model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))
    trained = model.get_weights()[0].copy()
    with averaged_weights(model):
        assert (model.get_weights()[0] != trained).all()
    assert (model.get_weights()[0] == trained).all()
