"""Equal nodes of a written model are merged, and it computes what it computed before."""

from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from handnet.networks.merging import merge_equal_nodes


def count_operations(folder: Path) -> Counter[str]:
    """Count the operations of the function that adds up, by type."""
    model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    [function] = [
        function
        for function in model.meta_graphs[0].graph_def.library.function
        if "__inference_add_up" in function.signature.name
    ]
    return Counter(node.op for node in function.node_def)


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
    merge_equal_nodes(folder)
    after = count_operations(folder)
    assert (before["Mul"], before["Sqrt"], before["Sum"]) == (5, 4, 5)
    assert (after["Mul"], after["Sqrt"], after["Sum"]) == (2, 1, 2)
    assert after["Const"] < before["Const"]
    assert after["RandomUniform"] == before["RandomUniform"] == 2
    result = tf.saved_model.load(str(folder)).signatures["add_up"](x=x)
    assert result["total"].numpy() == expected
    assert len(np.unique(result["draws"])) == 2
