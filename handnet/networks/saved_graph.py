"""An exported SavedModel run by TensorFlow's C library, without TensorFlow's Python part and without Keras.

The few fields of its file that are needed are read here: the graph, the names of the signatures' tensors, and how variables
are restored.

Reference:
    tensorflow/core/protobuf, saved_model.proto (SavedModel.meta_graphs = 2), meta_graph.proto (MetaGraphDef.graph_def = 2,
    saver_def = 3, signature_def = 5; SignatureDef.inputs = 1, outputs = 2; TensorInfo.name = 1), saver.proto
    (SaverDef.filename_tensor_name = 1, restore_op_name = 3); tensorflow/core/framework, graph.proto (GraphDef.library = 2),
    function.proto (FunctionDefLibrary.function = 1; FunctionDef.signature = 1, node_def = 3), op_def.proto (OpDef.name = 1),
    node_def.proto (NodeDef.attr = 5), attr_value.proto (AttrValue.list = 1, func = 10; ListValue.func = 9;
    NameAttrList.name = 1); the wire format:
    https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from handnet.networks.frozen_graph import CONFIG
from handnet.networks.graph_session import GraphError, GraphSession, Value

_VARIABLES = Path("variables") / "variables"
# The tags of AttrValue.func and ListValue.func.
_FUNCTION, _FUNCTIONS = bytes([10 << 3 | 2]), bytes([9 << 3 | 2])
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Signature(NamedTuple):
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


class SavedGraph:
    """The signatures of a SavedModel; not for several threads at once. It lives until the process ends."""

    def __init__(self, folder: Path) -> None:
        """Load the graph and the variables.

        Args:
            folder: of the SavedModel.

        Raises:
            GraphError: it cannot be read, is damaged, or TensorFlow's C library cannot be loaded here or refuses it.
        """
        try:
            model = _read_message(memoryview((folder / "saved_model.pb").read_bytes()))
            [contents] = model[2]
            meta_graph = _read_message(contents)
            self._signatures = dict(map(_read_signature, meta_graph[5]))
            saver = _read_message(meta_graph[3][0])
            graph, file_name, restore = meta_graph[2][0], _to_text(saver[1][0]), _to_text(saver[3][0])
            _check_calls(graph)
        except (OSError, ValueError, LookupError) as error:
            raise GraphError(f"{str(folder)!r} holds no SavedModel that can be read: {error!r}.") from None
        self._session = GraphSession(graph, CONFIG)
        self._session.run({file_name: str(folder / _VARIABLES).encode()}, (), restore)

    def run(self, signature: str, **inputs: Value) -> dict[str, npt.NDArray[Any]]:
        """Compute all outputs of a signature.

        Args:
            signature: its name.
            inputs: by name: strings (N,) or an array.

        Raises:
            RefusedInputError: an operation refuses what it was given.
            GraphError: the computation fails for another reason, or there is no such signature.
        """
        if signature not in self._signatures:
            raise GraphError(f"The model has no signature {signature!r}. It has: {', '.join(self._signatures)}.")
        named = self._signatures[signature]
        if named.inputs.keys() != inputs.keys():
            raise GraphError(f"The signature {signature!r} takes {', '.join(named.inputs)}, not {', '.join(inputs)}.")
        given = {tensor: inputs[name] for name, tensor in named.inputs.items()}
        return dict(zip(named.outputs, self._session.run(given, list(named.outputs.values())), strict=True))


def _check_calls(graph: memoryview) -> None:
    """Raise ValueError where a function of a graph calls itself, by others or not: the C library would end the process.

    TensorFlow's Python part refuses such a graph when it loads it.
    """
    libraries = map(_read_message, _read_message(graph).get(2, []))
    functions = [_read_message(function) for library in libraries for function in library.get(1, [])]
    calls = {
        _to_text(_read_message(function[1][0])[1][0]): {
            name for node in function.get(3, []) for name in _list_calls(node)
        }
        for function in functions
    }
    while calls:
        last = [name for name, called in calls.items() if not called & calls.keys()]
        if not last:
            raise ValueError("a function calls itself")
        for name in last:
            del calls[name]


def _list_calls(node: memoryview) -> Iterator[str]:
    """Name the functions that an operation calls."""
    contents = bytes(node)
    # Few operations call any, and their attributes begin with these bytes.
    if _FUNCTION not in contents and _FUNCTIONS not in contents:
        return
    for attribute in _read_message(node).get(5, []):
        value = _read_message(_read_entry(attribute)[1])
        listed = [name for part in value.get(1, []) for name in _read_message(part).get(9, [])]
        yield from (_to_text(_read_message(name)[1][0]) for name in (*value.get(10, []), *listed))


def _read_signature(entry: memoryview) -> tuple[str, _Signature]:
    name, signature = _read_entry(entry)
    fields = _read_message(signature)
    inputs, outputs = (
        {key: _to_text(_read_message(value)[1][0]) for key, value in map(_read_entry, fields.get(number, []))}
        for number in (1, 2)
    )
    return name, _Signature(inputs, outputs)


def _read_entry(entry: memoryview) -> tuple[str, memoryview]:
    """Return key and value of an entry of a map from strings to messages."""
    fields = _read_message(entry)
    return _to_text(fields[1][0]), fields.get(2, [memoryview(b"")])[0]


def _read_message(message: memoryview) -> dict[int, list[memoryview]]:
    """Return the fields of a message that hold bytes: strings and messages, by number.

    Raises:
        ValueError: it is damaged.
    """
    fields: dict[int, list[memoryview]] = {}
    for number, value in _read_fields(message):
        fields.setdefault(number, []).append(value)
    return fields


def _read_fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _read_varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        elif kind == _BYTES:
            size, at = _read_varint(message, at)
            if size > len(message) - at:
                raise ValueError("the file ends within a field")
            yield tag >> 3, message[at : at + size]
            at += size
        else:
            raise ValueError(f"no field of a protocol buffer has the type {kind}")


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place after it."""
    number, shift = 0, 0
    while shift < 70:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("a number is longer than ten bytes")


def _to_text(value: memoryview) -> str:
    return bytes(value).decode()
