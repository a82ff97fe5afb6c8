"""A written model is made small, and computes what it computed before, to the bit."""

from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from handnet.networks.compact_graph import compact_graph


def find_function(folder: Path, name: str) -> FunctionDef:
    """Return the function of a written model that this one was traced to."""
    model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    [function] = [
        function
        for function in model.meta_graphs[0].graph_def.library.function
        if f"__inference_{name}" in function.signature.name
    ]
    return function


def count_operations(folder: Path) -> Counter[str]:
    """Count the operations of the function that adds up, by type."""
    return Counter(node.op for node in find_function(folder, "add_up").node_def)


def test_equal_nodes_are_merged_and_random_ones_are_not(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")], autograph=False)
    def add_up(x: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = [tf.reduce_sum(tf.sqrt(x * 3.0) + 1.0) for _ in range(4)]
        with tf.control_dependencies([tf.debugging.assert_all_finite(x, "finite")]):
            total = tf.add_n([*parts, tf.reduce_sum(x * 2.0)])
        return {"total": total, "draws": tf.stack([tf.random.uniform(()) for _ in range(2)])}

    module = tf.Module()
    module.add_up = add_up
    folder = tmp_path / "model"
    tf.saved_model.save(module, str(folder), signatures={"add_up": add_up})
    before, x = count_operations(folder), tf.constant([1.0, 4.0, 9.0])
    expected = add_up(x)["total"].numpy()
    compact_graph(folder)
    after = count_operations(folder)
    assert (before["Mul"], before["Sqrt"], before["Sum"]) == (5, 4, 5)
    assert (after["Mul"], after["Sqrt"], after["Sum"]) == (2, 1, 2)
    assert after["Const"] < before["Const"]
    assert after["RandomUniform"] == before["RandomUniform"] == 2
    result = tf.saved_model.load(str(folder)).signatures["add_up"](x=x)
    assert result["total"].numpy() == expected
    assert len(np.unique(result["draws"])) == 2


def test_tables_that_compress_are_stored_compressed(tmp_path: Path) -> None:
    band = np.float32(np.eye(64) / 3)
    rng = np.random.default_rng(0)
    noise, small, large = (np.float32(rng.normal(size=(64, 64))), np.eye(8, dtype=np.float32), np.eye(500, 64))
    whole = np.arange(64 * 64, dtype=np.int64).reshape(64, 64) // 4096

    @tf.function(input_signature=[tf.TensorSpec((None, 64), tf.float32, name="x")], autograph=False)
    def multiply(x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_all_finite(x, "finite")]):
            table = tf.constant(band)
        rows = tf.gather(tf.constant(whole), tf.zeros((1,), tf.int32))
        parts = [x @ table, x @ noise, x[:, :8] @ small, x @ tf.transpose(tf.constant(np.float32(large)))]
        return {"parts": tf.concat([*parts, tf.cast(rows, tf.float32)], axis=1)}

    module = tf.Module()
    module.multiply = multiply
    folder = tmp_path / "model"
    tf.saved_model.save(module, str(folder), signatures={"multiply": multiply})
    x = tf.constant(rng.normal(size=(1, 64)).astype(np.float32))
    expected = multiply(x)["parts"].numpy()
    before = len((folder / "saved_model.pb").read_bytes())
    compact_graph(folder)
    function = find_function(folder, "multiply")
    unpacked = [node for node in function.node_def if node.op == "DecodeCompressed"]
    assert len(unpacked) == 1, "the others gain nothing, are small, large, or of another type"
    assert len((folder / "saved_model.pb").read_bytes()) < before - 0.9 * band.nbytes
    assert not [node for node in function.node_def if "_output_shapes" in node.attr]
    assert max(len(node.name) for node in function.node_def) < 20
    received = tf.saved_model.load(str(folder)).signatures["multiply"](x=x)["parts"].numpy()
    np.testing.assert_array_equal(received, expected)
    compact_graph(folder)
    again = tf.saved_model.load(str(folder)).signatures["multiply"](x=x)["parts"].numpy()
    np.testing.assert_array_equal(again, expected)
