"""The cross-batch memory: what it keeps, when it takes part, and the numbers of pytorch-metric-learning's."""

import json
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.losses import build_loss
from handnet.losses.memory import CrossBatchMemory

ORACLES = Path(__file__).parents[1] / "oracles"


def memory_of(size, **options):
    memory = CrossBatchMemory(size, **options)
    memory.build((None, 1))
    return memory


def train_step(memory, values, training=True):
    """Recall what a training step would see, then remember rows of these values with their value as identity."""
    rows = np.asarray(values, "float32")[:, None]
    memory(rows, training=training)
    seen, labels, usable = (np.asarray(x) for x in memory.recall())
    memory.remember(rows, np.stack([np.asarray(values, "int32"), np.zeros(len(values), "int32")], axis=1))
    assert (labels[usable, 0] == seen[usable, 0]).all()
    return sorted(seen[usable, 0].tolist())


def test_the_newest_rows_overwrite_the_oldest():
    memory = memory_of(5)
    assert train_step(memory, [1, 2, 3]) == []
    assert train_step(memory, [4, 5, 6]) == [1, 2, 3]
    assert train_step(memory, [7]) == [2, 3, 4, 5, 6]
    assert train_step(memory, [8]) == [3, 4, 5, 6, 7]


def test_of_a_batch_larger_than_the_memory_its_last_rows_stay():
    memory = memory_of(2)
    train_step(memory, [1, 2, 3])
    assert train_step(memory, [4]) == [2, 3]


def test_validation_sees_the_memory_and_leaves_nothing_in_it():
    memory = memory_of(4)
    train_step(memory, [1, 2])
    assert train_step(memory, [9, 9, 9], training=False) == [1, 2]
    assert train_step(memory, [3]) == [1, 2]


def test_it_takes_part_after_the_warm_up():
    memory = memory_of(8, warm_up_steps=2)
    assert [train_step(memory, [value]) for value in (1, 2, 3, 4)] == [[], [], [1, 2], [1, 2, 3]]


def test_rows_older_than_the_limit_take_no_part():
    memory = memory_of(8, max_age_steps=2)
    assert [train_step(memory, [value]) for value in (1, 2, 3, 4)] == [[], [1], [1, 2], [2, 3]]


def test_it_passes_embeddings_through():
    rows = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    np.testing.assert_array_equal(CrossBatchMemory(2)(rows, training=True), rows)


@pytest.mark.parametrize(
    ("name", "key", "options"),
    [
        ("batch_contrastive", "contrastive", {"form": "linear", "average": "active", "margin": 1.0}),
        ("infonce", "infonce", {"views": "any"}),
    ],
)
def test_three_steps_equal_pytorch_metric_learning(name, key, options):
    given = np.load(ORACLES / "oracle_input.npz")
    labels = np.stack([given["L"], np.zeros_like(given["L"])], axis=1).astype("int32")
    loss = build_loss(name, {**options, "memory_size": 32})
    losses = []
    for first in (0, 8, 4):
        rows = given["E"][first : first + 8]
        losses.append(float(loss(labels[first : first + 8], loss.state(rows, training=True))))
    expected = json.loads((ORACLES / "pml_more.json").read_text())["xbm"][key]
    assert losses == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"memory_size": -1},
        {"memory_size": 2.5},
        {"memory_size": 4, "memory_max_age_steps": -1},
        {"memory_warm_up_steps": 5},
    ],
)
def test_invalid_sizes_are_refused(options):
    with pytest.raises(ConfigError, match="memory_"):
        build_loss("triplet", options)


def test_size_zero_is_no_memory():
    assert build_loss("triplet", {"memory_size": 0}).state is None
