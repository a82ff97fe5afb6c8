"""Traced functions as frozen graphs: variables and captured arrays become constants, equal nodes are merged."""

from typing import Any

import tensorflow as tf

from handnet.networks.frozen_graph import FrozenGraph
from handnet.networks.graph_session import GraphError
from handnet.networks.merging import merge_graph


def freeze(function: Any) -> FrozenGraph:
    """Freeze a concrete function from named inputs to a dict of tensors, as it was written: no optimizer changes its bits.

    Args:
        function: from `tf.function(…).get_concrete_function()`, each input with a name.

    Raises:
        GraphError: an operation takes a variable itself, not its value, so that no constant can stand for it.
    """
    graph = function.graph.as_graph_def()
    variables = {id(variable.handle): variable for variable in function.variables}
    values = {}
    for outer, inner in zip(function.captured_inputs, function.graph.internal_captures, strict=True):
        values[inner.op.name] = variables[id(outer)].numpy() if outer.dtype == tf.resource else outer.numpy()
    resources = {inner.op.name for inner in function.graph.internal_captures if inner.dtype == tf.resource}
    for node in graph.node:
        sources = {source.partition(":")[0] for source in node.input}
        if node.name in values:
            value = tf.make_tensor_proto(values[node.name])
            node.op = "Const"
            node.ClearField("attr")
            node.attr["dtype"].type = value.dtype
            node.attr["value"].tensor.CopyFrom(value)
        elif node.op == "ReadVariableOp" and sources <= resources:
            dtype = node.attr["dtype"].type
            node.op = "Identity"
            node.ClearField("attr")
            node.attr["T"].type = dtype
        elif sources & resources:
            raise GraphError(f"The operation {node.op} takes a variable itself: it cannot be frozen.")
    inputs = {tensor.op.name: tensor.name for tensor in function.inputs if tensor.op.name not in values}
    # A dict's values are flattened in the order of its keys.
    outputs = dict(zip(sorted(function.structured_outputs), (tensor.name for tensor in function.outputs), strict=True))
    merge_graph(graph, [name.partition(":")[0] for name in (*inputs.values(), *outputs.values())])
    return FrozenGraph(graph.SerializeToString(), inputs, outputs)
