"""Frozen graphs give by TensorFlow's C library what TensorFlow gives, and refuse with a reason."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.networks.freezing import freeze
from handnet.networks.frozen_graph import CONFIG, FrozenGraph, GraphRunner
from handnet.networks.graph_session import GraphError, RefusedInputError


def test_the_settings_are_what_the_comment_says() -> None:
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    config.graph_options.optimizer_options.do_function_inlining = True
    config.graph_options.place_pruned_graph = True
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    assert tf.compat.v1.ConfigProto.FromString(CONFIG) == config


@pytest.fixture(scope="module")
def frozen() -> FrozenGraph:
    weights = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2))
    table = tf.constant([0.5, 0.25])

    @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="contents")], autograph=False)
    def compute(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        picture = tf.io.decode_png(contents, channels=3)
        wide = tf.shape(picture)[0] > 1
        known = tf.identity(weights)
        values = tf.cond(wide, lambda: tf.cast(picture[0], tf.float32) @ known, lambda: 0.0 * known[:2])
        return {"values": values + table, "bright": tf.reduce_any(picture > 200), "picture": picture}

    return freeze(compute.get_concrete_function())


def test_numbers_and_types_are_those_of_tensorflow(frozen: FrozenGraph) -> None:
    runner = GraphRunner(frozen)
    for seed in range(3):
        picture = np.random.default_rng(seed).integers(0, 256, (2, 4, 3), np.uint8)
        found = runner.run(contents=tf.io.encode_png(picture).numpy())
        expected = picture[0].astype(np.float32) @ np.arange(6, dtype=np.float32).reshape(3, 2) + [0.5, 0.25]
        np.testing.assert_allclose(found["values"], expected, rtol=1e-6)
        np.testing.assert_array_equal(found["picture"], picture)
        assert found["bright"].dtype == np.bool_
        assert found["bright"] == (picture > 200).any()


def test_bytes_that_are_no_photo_are_refused_and_the_next_photo_is_not(frozen: FrozenGraph) -> None:
    runner = GraphRunner(frozen)
    with pytest.raises(RefusedInputError):
        runner.run(contents=b"no photo")
    assert runner.run(contents=tf.io.encode_png(np.zeros((2, 2, 3), np.uint8)).numpy())["values"].shape == (2, 2)


def test_a_damaged_graph_and_an_unknown_name_are_errors(frozen: FrozenGraph) -> None:
    with pytest.raises(GraphError):
        GraphRunner(frozen._replace(graph=b"rubbish"))
    with pytest.raises(GraphError, match="no operation 'other'"):
        GraphRunner(frozen._replace(outputs={"values": "other:0"}))


def test_what_changes_a_variable_cannot_be_frozen() -> None:
    counter = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec((), tf.float32, name="step")], autograph=False)
    def count(step: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"total": counter.assign_add(step)}

    with pytest.raises(GraphError, match="takes a variable itself"):
        freeze(count.get_concrete_function())
