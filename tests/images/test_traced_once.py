"""A graph that many others call is laid out once, away from their Python calls; outside of graphs nothing is laid out."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from handnet.images.traced_once import trace_once


def test_two_graphs_call_one_that_is_laid_out_once() -> None:
    shapes = []

    @trace_once
    def halve(values: tf.Tensor, times: int = 1) -> tf.Tensor:
        shapes.append(values.shape)
        return values / 2.0**times

    spec = tf.TensorSpec((None,), tf.float32)
    graphs = [
        tf.function(lambda values, more=more: halve(values) + more, input_signature=[spec], autograph=False)
        for more in (0.0, 1.0)
    ]
    assert [float(graph(tf.constant([6.0]))[0]) for graph in graphs] == [3.0, 4.0]
    assert len(shapes) == 1
    quarter = tf.function(lambda values: halve(values, times=2), input_signature=[spec], autograph=False)
    assert float(quarter(tf.constant([6.0]))[0]) == 1.5
    assert len(shapes) == 2, "other settings, another graph"
    np.testing.assert_array_equal(halve(tf.constant([1.0, 2.0])), [0.5, 1.0])
    np.testing.assert_array_equal(halve(tf.constant([1.0])), [0.5])
    assert shapes[2:] == [(2,), (1,)], "outside of graphs it is computed as it stands, whatever the size"


def test_a_graph_within_graphs_is_laid_out_without_the_calls_around_it() -> None:
    depths = []

    @trace_once
    def negate(values: tf.Tensor) -> tf.Tensor:
        depths.append(len(inspect.stack()))
        return -values

    def call_within(depth: int, values: tf.Tensor) -> tf.Tensor:
        return call_within(depth - 1, values) if depth else negate(values)

    for depth, shape in ((0, (2,)), (50, (3,))):
        graph = tf.function(lambda values, depth=depth: call_within(depth, values), autograph=False)
        np.testing.assert_array_equal(graph(tf.ones(shape)), -np.ones(shape))
    assert depths[1] < depths[0] + 10


def test_an_error_in_a_graph_comes_to_who_needs_the_graph() -> None:
    @trace_once
    def refuse(values: tf.Tensor) -> tf.Tensor:
        raise ValueError("no such crop")

    with pytest.raises(ValueError, match="no such crop"):
        tf.function(refuse, autograph=False)(tf.ones(2))
