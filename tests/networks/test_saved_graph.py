"""An exported model gives by TensorFlow's C library what TensorFlow gives; a damaged one is an error."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from handnet.networks.graph_session import GraphError
from handnet.networks.saved_graph import SavedGraph

TABLE = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = tf.Module()
    module.table = tf.Variable(TABLE)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="names")], autograph=False)
    def look_up(names: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.strings.length(names)
        return {"twice": tf.strings.join([names, names]), "rows": tf.gather(module.table, rows)}

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, name="points")], autograph=False)
    def measure(points: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"products": points @ tf.transpose(module.table)}

    folder = tmp_path_factory.mktemp("saved")
    tf.saved_model.save(module, str(folder), signatures={"look_up": look_up, "measure": measure})
    return folder


def test_signatures_take_and_give_strings_and_numbers(model: Path) -> None:
    graph = SavedGraph(model)
    for names in ([b"a", b"", b"a" * 2], [b""], []):
        found = graph.run("look_up", names=names)
        assert found["twice"].tolist() == [name * 2 for name in names]
        np.testing.assert_array_equal(found["rows"], TABLE[[len(name) for name in names]])
    # Longer than what is stored within the string's own place.
    long = bytes(range(256)) * 10
    with pytest.raises(GraphError, match="indices"):
        graph.run("look_up", names=[long])
    points = np.array([[1, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(graph.run("measure", points=points)["products"], points @ TABLE.T)
    with pytest.raises(GraphError, match="no signature 'other'. It has: .*look_up"):
        graph.run("other", points=points)


def test_a_damaged_model_is_an_error(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    file = copy / "saved_model.pb"
    whole = file.read_bytes()
    for damaged in (b"", b"rubbish", whole[:-1], whole[: len(whole) // 2], b"\xff" * 200, b"\x12\x00", b"\x0b\x01"):
        file.write_bytes(damaged)
        with pytest.raises(GraphError):
            SavedGraph(copy)
    file.write_bytes(whole)
    shutil.rmtree(copy / "variables")
    with pytest.raises(GraphError):
        SavedGraph(copy)
    with pytest.raises(GraphError):
        SavedGraph(tmp_path / "missing")


def name_output(tensor: str) -> Callable[[MetaGraphDef], None]:
    """Return what lets a signature give another tensor."""

    def change(graph: MetaGraphDef) -> None:
        graph.signature_def["measure"].outputs["products"].name = tensor

    return change


def add_doubles(graph: MetaGraphDef) -> None:
    """Let a signature give numbers in float64, which no signature of handnet does."""
    node = graph.graph_def.node.add(name="doubles", op="Const")
    node.attr["dtype"].type = tf.float64.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0], tf.float64))
    name_output("doubles:0")(graph)


def rename_input(graph: MetaGraphDef) -> None:
    """Call the input of a signature something else."""
    inputs = graph.signature_def["measure"].inputs
    inputs["places"].CopyFrom(inputs["points"])
    del inputs["points"]


def call_themselves(graph: MetaGraphDef) -> None:
    """Let each function call itself."""
    for function in graph.graph_def.library.function:
        node = function.node_def.add(name="again", op="StatefulPartitionedCall")
        for argument in function.signature.input_arg:
            node.input.append(argument.name)
            node.attr["Tin"].list.type.append(argument.type)
        for argument in function.signature.output_arg:
            node.attr["Tout"].list.type.append(argument.type)
        node.attr["f"].func.name = function.signature.name
        function.control_ret["again"] = "again"
        function.signature.control_output.append("again")
        function.signature.is_stateful = True


@pytest.mark.parametrize(
    "change", [name_output("NoOp:x"), name_output("NoOp:7"), add_doubles, rename_input, call_themselves]
)
def test_a_model_that_was_changed_is_an_error_too(
    model: Path, tmp_path: Path, change: Callable[[MetaGraphDef], None]
) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    changed = SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    change(changed.meta_graphs[0])
    (copy / "saved_model.pb").write_bytes(changed.SerializeToString())
    with pytest.raises(GraphError):
        SavedGraph(copy).run("measure", points=np.zeros((1, 2), np.float32))
