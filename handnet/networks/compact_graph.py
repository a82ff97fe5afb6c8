"""The graph of a SavedModel made small: equal nodes merged, tables compressed, names and shapes left out that nothing needs.

What the functions compute stays the same to the bit.
"""

import zlib
from collections.abc import Iterator
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from handnet.networks.merging import merge_function, rename_inputs

_GRAPH_FILE = "saved_model.pb"
# A hash of the graph as it was before; TensorFlow loads a model without it as it loads those of its own earlier versions.
_FINGERPRINT_FILE = "fingerprint.pb"
# Bytes of the constants that are compressed. Larger ones TensorFlow's optimizer would not unpack once and for all
# (kMaxConstantSize of tensorflow/core/grappler/optimizers/constant_folding.cc), but at each call; smaller ones gain nothing.
_PACKED_BYTES = range(1_000, 100_001)


def compact_graph(folder: Path) -> None:
    """Make the functions of a SavedModel small.

    Args:
        folder: the SavedModel, whose graph is written again.
    """
    file = folder / _GRAPH_FILE
    model = SavedModel.FromString(file.read_bytes())
    for graph in model.meta_graphs:
        for function in graph.graph_def.library.function:
            merge_function(function)
            _drop_shapes(function)
            _pack_constants(function)
            _shorten_names(function)
    file.write_bytes(model.SerializeToString(deterministic=True))
    (folder / _FINGERPRINT_FILE).unlink(missing_ok=True)


def _drop_shapes(function: FunctionDef) -> None:
    """Leave out the shapes of what nodes give: TensorFlow finds them again from those of the arguments when it loads."""
    for node in function.node_def:
        node.attr.pop("_output_shapes", None)


def _pack_constants(function: FunctionDef) -> None:
    """Store constants that compress well as compressed bytes, which the graph unpacks."""
    nodes = [part for node in function.node_def for part in _pack(node)]
    del function.node_def[:]
    function.node_def.extend(nodes)


def _pack(node: NodeDef) -> Iterator[NodeDef]:
    """Yield a node, or those that give the same constant under its name."""
    values = tf.make_ndarray(node.attr["value"].tensor) if _may_pack(node) else None
    packed = b"" if values is None else zlib.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(), 9)
    if values is None or len(packed) > values.nbytes // 4:
        yield node
        return

    def make(op: str, suffix: str, *inputs: str, **attributes: Any) -> NodeDef:
        made = NodeDef(name=node.name + suffix, op=op, device=node.device, input=inputs)
        for name, value in attributes.items():
            made.attr[name].CopyFrom(value)
        return made

    def make_constant(suffix: str, value: Any, dtype: tf.DType) -> NodeDef:
        tensor = tf.compat.v1.AttrValue(tensor=tf.make_tensor_proto(value, dtype))
        return make("Const", suffix, value=tensor, dtype=_type(dtype))

    def name(suffix: str) -> str:
        return f"{node.name}{suffix}:output:0"

    # What waits for the constant's inputs waits for them still.
    yield make_constant("/packed", packed, tf.string)
    yield make_constant("/shape", values.shape, tf.int32)
    zipped = tf.compat.v1.AttrValue(s=b"ZLIB")
    yield make("DecodeCompressed", "/bytes", name("/packed"), compression_type=zipped)
    little = tf.compat.v1.AttrValue(b=True)
    yield make("DecodeRaw", "/flat", name("/bytes"), out_type=node.attr["dtype"], little_endian=little)
    yield make("Reshape", "", name("/flat"), name("/shape"), *node.input, T=node.attr["dtype"], Tshape=_type(tf.int32))


def _may_pack(node: NodeDef) -> bool:
    if node.op != "Const" or node.attr["dtype"].type != tf.float32.as_datatype_enum:
        return False
    shape = [side.size for side in node.attr["value"].tensor.tensor_shape.dim]
    return tf.float32.size * prod(shape) in _PACKED_BYTES


def _type(dtype: tf.DType) -> Any:
    return tf.compat.v1.AttrValue(type=dtype.as_datatype_enum)


def _shorten_names(function: FunctionDef) -> None:
    """Number the nodes: the names that tracing gives them say where in the code they come from, some 60 letters each."""
    taken = {argument.name for argument in (*function.signature.input_arg, *function.signature.output_arg)}
    numbers = (name for number in count() if (name := f"n{number:x}") not in taken)
    renamed = {node.name: next(numbers) for node in function.node_def}
    for node in function.node_def:
        node.name = renamed[node.name]
        if "_class" in node.attr:
            places = [place.decode().removeprefix("loc:@") for place in node.attr["_class"].list.s]
            node.attr["_class"].list.s[:] = [f"loc:@{renamed.get(place, place)}".encode() for place in places]
    rename_inputs(function, function.node_def, renamed)
