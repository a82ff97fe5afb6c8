"""Processes that train together: real ones over loopback, of which one is killed; and what is known without them."""

import csv
import importlib.util
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from handnet.data.batch_plan import FloatArray
from handnet.errors import ConfigError
from handnet.training.batches import build_training_data, plan_training
from handnet.training.nodes import Nodes, join_nodes
from tests.forked import Program, run_program, start_program
from tests.tiny import tiny_config, write_tiny

# `python -m handnet` with the backbone of tests/tiny.py, whose weights have no seed of their own. Commands that "then"
# parts are run one after the other in one process, whose imports take longer than a training.
PROGRAM = """
import itertools, sys
import keras, tensorflow
tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
from handnet.cli.main import main
from handnet.networks.backbones import BACKBONES
from tests.tiny import tiny_backbone
BACKBONES["tiny"] = tiny_backbone()
for is_command, command in itertools.groupby(sys.argv[1:], lambda word: word != "then"):
    if is_command:
        sys.argv = ["handnet", *command]
        keras.utils.set_random_seed(0)
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
"""
# Not Adam: it makes steps of the rounding noise of a bias in front of BatchNorm, whose gradient is zero.
TRAIN = (
    "train", "--data=hands", "--arch=tiny", "--epochs=6", "--batch=8", "--precision=float32",
    *(f"--set={setting}" for setting in (
        "image.size_px=32", "model.hidden_size=16", "optimizer.name=sgd", "optimizer.learning_rate=0.002",
        "optimizer.ema_momentum=0.9", "augment.flip_probability=0.5", "sampler.passes_per_epoch=1",
    )),
)  # fmt: skip


def start_two(*arguments: str) -> list[Program]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launcher = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    return [
        start_program(PROGRAM, *arguments, "--nodes=2", backend="jax", RANK=str(rank), **launcher) for rank in range(2)
    ]


def read_history(run: Path) -> list[dict[str, str]]:
    file = run / "history.csv"
    return list(csv.DictReader(file.open())) if file.exists() else []


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_one_goes_on_alone_where_two_stopped_and_ends_with_the_weights_of_one(working_folder: Path) -> None:
    write_tiny(Path("hands"), num_people=16)
    run = Path("two")
    first, second = start_two(*TRAIN, f"--run={run}")
    while len(read_history(run)) < 2:
        running = [process.poll() is None for process in (first, second)]
        assert all(running), first.communicate()
        time.sleep(0.02)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    _, errors = first.communicate(timeout=120)
    together = len(read_history(run))
    assert 2 <= together < 6
    # In one line, and at once.
    assert first.returncode == 1
    lines = [line for line in errors.splitlines() if line.startswith("handnet: ")]
    assert lines == [errors.splitlines()[-1]]
    assert lines[0].startswith("handnet: Another process of this training has ended")

    out = run_program(PROGRAM, "train", "--resume", f"--run={run}", "then", *TRAIN, "--run=alone", backend="jax")
    assert f"resumed after epoch {together} of 6" in out

    import h5py

    with h5py.File("alone/model.weights.h5") as expected, h5py.File(run / "model.weights.h5") as given:
        names: list[str] = []
        expected.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert len(names) > 10
        for name in names:
            np.testing.assert_allclose(given[name][()], expected[name][()], rtol=0, atol=1e-5, err_msg=name)
    losses = [[float(row["loss"]) for row in read_history(Path(folder))] for folder in ("alone", "two")]
    # Of embeddings that lie close together, as at the beginning, rounding decides which is the hardest.
    np.testing.assert_allclose(*losses, atol=1e-4)


def test_the_shares_are_all_rows_once_and_differ_by_one_row_at_most() -> None:
    for count, num_rows in ((1, 5), (2, 5), (3, 2), (4, 64)):
        shares = [range(num_rows)[Nodes(count, rank).share(num_rows)] for rank in range(count)]
        assert [row for share in shares for row in share] == list(range(num_rows))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_two_read_each_half_of_the_batch_that_one_reads(loss: str, tmp_path: Path) -> None:
    from handnet.data.readers import read_dataset
    from handnet.images.photo_store import prepare_photos

    examples = read_dataset("hands11k", write_tiny(tmp_path / "hands", num_people=8)).examples
    augment = {"flip_probability": 0.5, "rotation_probability": 1.0, "brightness_probability": 1.0}
    config = tiny_config(augment=augment, loss={"name": loss, "options": {"margin": 0.5}})
    plan = plan_training(examples, config)
    files = prepare_photos([example.path for example in examples], config.image).files
    whole, first, second = (
        _flatten(next(iter(build_training_data(plan, files, config, nodes=nodes).as_numpy_iterator())))
        for nodes in (Nodes(), Nodes(2, 0), Nodes(2, 1))
    )
    for expected, *halves in zip(whole, first, second, strict=True):
        assert len(halves[0]) == len(halves[1]) == len(expected) // 2
        np.testing.assert_array_equal(np.concatenate(halves), expected)


def _flatten(batch: tuple[FloatArray | dict[str, FloatArray], FloatArray]) -> list[FloatArray]:
    inputs, labels = batch
    return [*(inputs.values() if isinstance(inputs, dict) else [inputs]), labels]


def test_several_nodes_on_tensorflow_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match="KERAS_BACKEND=jax.*MultiWorkerMirroredStrategy fails"):
        join_nodes(2)
    assert join_nodes(1) == Nodes(1, 0)


ON_JAX = """
import os, socket
for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE"):
    os.environ.pop(name, None)
import keras, numpy as np
from handnet.embedding.predict import build_predict
from handnet.errors import ConfigError
from handnet.training.nodes import check_batch, join_nodes
used = socket.create_server(("127.0.0.1", 0))
in_use = str(used.getsockname()[1])
for variables, words in (
    ({}, "MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE not set"),
    ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "RANK": "0", "WORLD_SIZE": "3"}, "there are 3 processes"),
    ({"MASTER_PORT": in_use, "WORLD_SIZE": "2"}, f"cannot listen on MASTER_PORT {in_use}"),
    ({"RANK": "2"}, "Expected a RANK from 0 to 1"),
    ({"RANK": "one", "WORLD_SIZE": "2"}, "Expected a number in RANK"),
):
    os.environ.update(variables)
    try:
        join_nodes(2)
    except ConfigError as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
rows = np.ones((5, 3), "float32")
expected = model.predict_on_batch(rows)
join_nodes(1)
assert keras.distribution.distribution().device_mesh.devices.size == 2
spread = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
spread.set_weights(model.get_weights())
np.testing.assert_allclose(build_predict(spread)(rows), expected, atol=1e-6)
check_batch(4)
try:
    check_batch(5)
except ConfigError as error:
    assert "multiple of 2" in str(error)
else:
    raise AssertionError("an odd batch on two devices")
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_one_process_spreads_over_its_devices_and_says_what_a_launcher_lacks() -> None:
    run_program(ON_JAX, backend="jax", devices=2)
