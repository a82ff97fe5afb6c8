"""A graph that many others call is laid out once; outside of graphs nothing is laid out."""

import numpy as np
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
