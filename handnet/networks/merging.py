"""Equal nodes of a graph, merged: half of what a traced network holds are copies of the same constants."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

# Operations that have neither state nor effects: equal inputs and attributes give equal results.
# fmt: off
_PURE = frozenset((
    "AddV2", "BatchMatMulV2", "BroadcastTo", "Cast", "ConcatV2", "Const", "Equal", "ExpandDims", "Fill", "FloorDiv",
    "GatherV2", "Greater", "GreaterEqual", "Identity", "Less", "LessEqual", "Log", "LogicalAnd", "LogicalNot",
    "MatMul", "Max", "Maximum", "Mean", "Min", "Minimum", "Mul", "Neg", "Pack", "Pad", "PadV2", "Prod", "Range",
    "RealDiv", "Relu", "Reshape", "Rsqrt", "SelectV2", "Shape", "Slice", "Split", "Sqrt", "Square", "Squeeze",
    "StridedSlice", "Sub", "Sum", "Tile", "Transpose", "Unpack", "ZerosLike",
))
# fmt: on


def merge_function(function: FunctionDef) -> None:
    """Merge equal nodes of a function; what it computes stays the same to the bit.

    Args:
        function: changed in place.
    """
    while _merge_once(function):
        pass


def merge_graph(graph: GraphDef, kept: Collection[str]) -> None:
    """Merge equal nodes of a graph and of its functions; what it computes stays the same to the bit.

    Args:
        graph: changed in place.
        kept: names of nodes that stay, e.g. those that are fed and fetched.
    """
    pinned = {*kept, *_list_neighbours(graph.node)}
    while merged := _find_equal(graph.node, pinned):
        _drop(graph.node, merged)
    for function in graph.library.function:
        merge_function(function)


def _find_equal(nodes: Iterable[NodeDef], pinned: Collection[str]) -> dict[str, str]:
    """Return the nodes that equal a node before them, each with that node's name.

    Of inputs that come earlier it counts which node they equal, so one round finds all where nodes follow their inputs, as they
    mostly do.
    """
    first: dict[bytes, str] = {}
    merged: dict[str, str] = {}
    for node in nodes:
        if node.op in _PURE and node.name not in pinned:
            name = first.setdefault(_describe(node, merged), node.name)
            if name != node.name:
                merged[node.name] = name
    return merged


def _drop(nodes: Any, merged: dict[str, str]) -> None:
    """Delete nodes from a repeated field and give their successors those that they equal."""
    kept = [node for node in nodes if node.name not in merged]
    for node in kept:
        node.input[:] = [_rename(source, merged) for source in node.input]
    del nodes[:]
    nodes.extend(kept)


def _merge_once(function: FunctionDef) -> bool:
    """Merge equal nodes; return whether there were any, since more may be equal then."""
    merged = _find_equal(function.node_def, set(_list_neighbours(function.node_def)))
    if not merged:
        return False
    kept = [node for node in function.node_def if node.name not in merged]
    rename_inputs(function, kept, merged)
    del function.node_def[:]
    function.node_def.extend(kept)
    return True


def rename_inputs(function: FunctionDef, nodes: Iterable[NodeDef], renamed: Mapping[str, str]) -> None:
    """Let nodes of a function, and what it returns, take the outputs of other nodes.

    Args:
        function: changed in place.
        nodes: those of its nodes whose inputs are changed.
        renamed: by the name of a node, that of the node whose outputs are taken.
    """
    for node in nodes:
        node.input[:] = [_rename(source, renamed) for source in node.input]
    # Lists, since a map of protobuf must not change while it is read.
    for name, source in list(function.ret.items()):
        function.ret[name] = _rename(source, renamed)
    for name, source in list(function.control_ret.items()):
        function.control_ret[name] = renamed.get(source, source)


def _list_neighbours(nodes: Iterable[NodeDef]) -> Iterator[str]:
    """Name the nodes beside which others ask to be placed."""
    for node in nodes:
        if "_class" in node.attr:
            yield from (place.decode().removeprefix("loc:@") for place in node.attr["_class"].list.s)


def _describe(node: NodeDef, merged: Mapping[str, str]) -> bytes:
    """Return what two nodes have in common that compute the same."""
    inputs = [_rename(source, merged) for source in node.input]
    described = NodeDef(op=node.op, device=node.device, input=inputs, attr=node.attr)
    return bytes(described.SerializeToString(deterministic=True))


def _rename(source: str, renamed: Mapping[str, str]) -> str:
    """Return an input, "node:output:number", "^node" or the name of an argument, with the node's other name."""
    control = "^" if source.startswith("^") else ""
    name, colon, output = source.removeprefix("^").partition(":")
    return f"{control}{renamed.get(name, name)}{colon}{output}"
