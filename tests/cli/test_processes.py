"""Training that is stopped: in processes of its own killed, interrupted and resumed; and on a disk that fills up."""

import csv
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

# Before the first test, so that tests/conftest.py leaves out the optimisation of graphs in this process too.
import tensorflow  # noqa: F401

from tests.cli.command_line import CommandLine
from tests.forked import Program, start_program
from tests.tiny import write_tiny

# `python -m handnet` with the backbone of tests/tiny.py, and with graphs as tests/conftest.py has them.
PROGRAM = (
    "import tensorflow; tensorflow.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})\n"
    "from handnet.networks.backbones import BACKBONES; from tests.tiny import tiny_backbone\n"
    "BACKBONES['tiny'] = tiny_backbone()\n"
    "from handnet.cli.main import main; main()"
)
NUM_EPOCHS = 9
TRAIN = (
    "train", "--data=hands", "--arch=tiny", f"--epochs={NUM_EPOCHS}", "--batch=8", "--precision=float32",
    *(f"--set={setting}" for setting in ("image.size_px=32", "model.hidden_size=16", "optimizer.ema_momentum=0.9")),
)  # fmt: skip


def wait_until(condition: Callable[[], bool], process: Program) -> None:
    while not condition():
        assert process.poll() is None, f"ended before it was to be stopped: {process.communicate()}"
        time.sleep(0.005)


def count_epochs(run: Path) -> int:
    file = run / "history.csv"
    return len(list(csv.DictReader(file.open()))) if file.exists() else 0


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(file) as group:
        group.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    command: CommandLine, working_folder: Path
) -> None:
    write_tiny(Path("hands"), num_people=20, photos_per_view=2)
    # What nobody stops needs no process of its own, whose imports take longer than the training.
    assert command.run(*TRAIN, "--run=whole").code == 0

    run = Path("killed")
    process = start_program(PROGRAM, *TRAIN, f"--run={run}")
    wait_until(lambda: (run / "checkpoint/state.json").exists(), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert count_epochs(run) < NUM_EPOCHS

    (run / ".part-of-a-write.weights.h5").write_bytes(b"half")
    # The command line makes Ctrl-C of a stop by the system.
    for stop, exit_code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)):
        done = count_epochs(run)
        process = start_program(PROGRAM, "train", "--resume", f"--run={run}")
        wait_until(lambda done=done: count_epochs(run) >= done + 1, process)
        process.send_signal(stop)
        _, err = process.communicate()
        assert process.returncode == exit_code
        assert "Traceback" not in err
        if exit_code == 130:
            assert [line for line in err.splitlines() if line][-2:] == [
                f"warning: stopped; continue with: handnet train --resume --run {run}",
                "handnet: interrupted.",
            ]
        assert count_epochs(run) < NUM_EPOCHS, "it was stopped before its end"

    outcome = command.run("train", "--resume", f"--run={run}")
    assert outcome.code == 0, outcome.err
    assert "resumed after epoch " in outcome.out
    assert (run / "history.csv").read_bytes() == Path("whole/history.csv").read_bytes()
    expected, received = (read_arrays(folder / "model.weights.h5") for folder in (Path("whole"), run))
    assert expected.keys() == received.keys()
    assert all((expected[name] == received[name]).all() for name in expected)
    names = {path.name for path in working_folder.rglob("*")}
    assert not [name for name in names if name.startswith((".part-", ".killed-"))], "nothing half written is left"


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_training_with_one_line_and_keeps_the_run(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(Path("hands"), num_people=20, photos_per_view=1)
    # Python 3.11 itself leaves half a .pyc file behind where it has no room.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow beyond so many bytes, as on a full disk: the first checkpoint still fits.
    resource.setrlimit(resource.RLIMIT_FSIZE, (40 * 512, hard))
    try:
        outcome = command.run(*TRAIN, "--run=run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 1, outcome.err
    assert len([line for line in outcome.err.splitlines() if line.startswith("handnet: Cannot write")]) == 1, (
        outcome.err
    )
    assert command.run("train", "--resume", "--run=run").code == 0
    assert count_epochs(Path("run")) == NUM_EPOCHS
