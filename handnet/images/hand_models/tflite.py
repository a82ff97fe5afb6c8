"""A TensorFlow Lite file read without TensorFlow: its constant arrays and its operations, in the order of their execution.

A .tflite file is a FlatBuffer: tables of fields that point to each other by offsets. Only what the two hand models use is
read. Every offset is checked, since a file may come from anywhere.

Reference: the FlatBuffers binary format (https://flatbuffers.dev/internals) and the schema of TensorFlow Lite
(tensorflow/compiler/mlir/lite/schema/schema.fbs), of which the field numbers below are.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import WeightsError, format_unknown

IDENTIFIER = b"TFL3"
MAX_FILE_BYTES = 2**28
MAX_DIMENSIONS = 6

Array = npt.NDArray[np.generic]
Option = int | bool | str


class Operation(NamedTuple):
    """One step of the network.

    Attributes:
        name: the name in TensorFlow Lite, e.g. "CONV_2D".
        options: e.g. {"padding": "same", "stride_h": 2}, as `OPTIONS` lists them.
        inputs: numbers of the tensors it reads.
        output: number of the tensor it writes.
    """

    name: str
    options: Mapping[str, Option]
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """What a .tflite file holds.

    Attributes:
        constants: tensor number to array: weights (float16 or float32), shapes and paddings (integers).
        operations: in the order of execution; each input is a constant, the input, or the output of an earlier one.
        shapes: of every tensor, as the file declares them.
        input: number of the input tensor.
        outputs: numbers of the output tensors, in the file's order.
    """

    constants: Mapping[int, Array]
    operations: tuple[Operation, ...]
    shapes: tuple[tuple[int, ...], ...]
    input: int
    outputs: tuple[int, ...]


def read_tflite(path: Path) -> Network:
    """Read a .tflite file.

    Args:
        path: a file with one subgraph, one input and the operations of `OPTIONS`.

    Raises:
        WeightsError: the file is missing, too large, damaged, or uses something that handnet does not read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise WeightsError(f"{str(path)!r} has {size:,} bytes; a hand model has less than {MAX_FILE_BYTES:,}.")
        contents = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"Cannot read {str(path)!r}: {error.strerror}.") from None
    try:
        return parse_tflite(contents)
    except WeightsError as error:
        raise WeightsError(f"{str(path)!r} is not a TensorFlow Lite file that handnet can read: {error}") from None


def parse_tflite(contents: bytes) -> Network:
    """Read the bytes of a .tflite file; arguments, result and errors as `read_tflite` says."""
    if contents[4:8] != IDENTIFIER:
        raise WeightsError(f"its bytes 4 to 8 are {contents[4:8]!r}, expected {IDENTIFIER!r}.")
    model = _Table(contents, _read(contents, "<I", 0))
    names = [_name_operation(code) for code in model.tables(1)]
    subgraphs, buffers = model.tables(2), model.tables(4)
    if len(subgraphs) != 1:
        raise WeightsError(f"it has {len(subgraphs)} subgraphs, expected 1.")
    (graph,) = subgraphs
    tensors = graph.tables(0)
    shapes = tuple(_read_shape(tensor) for tensor in tensors)
    constants = {}
    for number, tensor in enumerate(tensors):
        array = _read_constant(tensor, shapes[number], buffers)
        if array is not None:
            constants[number] = array
    operations = tuple(_read_operation(table, names) for table in graph.tables(3))
    inputs, outputs = graph.integers(1), graph.integers(2)
    if len(inputs) != 1:
        raise WeightsError(f"it has {len(inputs)} inputs, expected 1.")
    network = Network(constants, operations, shapes, inputs[0], outputs)
    _check_order(network)
    return network


class _Table:
    """A FlatBuffer table: fields by number, each with a default where the file leaves it out."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position
        self.vtable = position - int(_read(data, "<i", position))
        self.vtable_bytes = int(_read(data, "<H", self.vtable))

    def _find(self, field: int) -> int:
        entry = 4 + 2 * field
        if entry + 2 > self.vtable_bytes:
            return 0
        offset = int(_read(self.data, "<H", self.vtable + entry))
        return self.position + offset if offset else 0

    def scalar(self, field: int, code: str, default: int = 0) -> int:
        at = self._find(field)
        return int(_read(self.data, "<" + code, at)) if at else default

    def table(self, field: int) -> "_Table | None":
        at = self._find(field)
        return _Table(self.data, at + int(_read(self.data, "<I", at))) if at else None

    def _vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        """Return where the items of a vector begin and how many there are."""
        at = self._find(field)
        if not at:
            return 0, 0
        start = at + int(_read(self.data, "<I", at))
        count = int(_read(self.data, "<I", start))
        if start + 4 + count * item_bytes > len(self.data):
            raise WeightsError(f"a list of {count:,} items runs past the end of the file; it is damaged.")
        return start + 4, count

    def tables(self, field: int) -> "list[_Table]":
        start, count = self._vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [_Table(self.data, place + int(_read(self.data, "<I", place))) for place in places]

    def integers(self, field: int) -> tuple[int, ...]:
        start, count = self._vector(field, 4)
        return struct.unpack_from(f"<{count}i", self.data, start)

    def bytes(self, field: int) -> bytes:
        start, count = self._vector(field, 1)
        return self.data[start : start + count]


def _read(data: bytes, code: str, at: int) -> int:
    if at < 0 or at + struct.calcsize(code) > len(data):
        raise WeightsError(f"an offset points to byte {at:,} of {len(data):,}; the file is damaged.")
    value: int = struct.unpack_from(code, data, at)[0]
    return value


def _name_operation(code: _Table) -> str:
    # Newer files keep the code in field 3; older ones, and codes below 127, in field 0 too.
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    if number not in OPERATION_CODES:
        valid = [f"{code} ({name})" for code, name in OPERATION_CODES.items()]
        raise WeightsError(format_unknown("operation code", str(number), valid))
    return OPERATION_CODES[number]


def _read_shape(tensor: _Table) -> tuple[int, ...]:
    shape = tensor.integers(0)
    if len(shape) > MAX_DIMENSIONS or any(size < 1 for size in shape):
        raise WeightsError(f"a tensor has the shape {shape[:MAX_DIMENSIONS]}; handnet reads fixed sizes of at least 1.")
    return shape


def _read_constant(tensor: _Table, shape: tuple[int, ...], buffers: list[_Table]) -> Array | None:
    """Return a tensor's values; None for one that an operation computes."""
    number = tensor.scalar(2, "I")
    if number >= len(buffers):
        raise WeightsError(f"a tensor names buffer {number} of {len(buffers)}; the file is damaged.")
    contents = buffers[number].bytes(0)
    if not contents:
        return None
    kind = tensor.scalar(1, "b")
    if kind not in NUMBER_TYPES:
        valid = [f"{code} ({name})" for code, name in NUMBER_TYPES.items()]
        raise WeightsError(format_unknown("number type", str(kind), valid))
    dtype = np.dtype(NUMBER_TYPES[kind])
    if len(contents) != math.prod(shape) * dtype.itemsize:
        raise WeightsError(f"a tensor of shape {shape} and type {dtype} has {len(contents):,} bytes; it is damaged.")
    array = np.frombuffer(contents, dtype).reshape(shape)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise WeightsError("a weight is not a finite number; the file is damaged.")
    return array


def _read_operation(table: _Table, names: list[str]) -> Operation:
    index = table.scalar(0, "I")
    if index >= len(names):
        raise WeightsError(f"an operation has kind {index} of {len(names)}; the file is damaged.")
    name, outputs = names[index], table.integers(2)
    if len(outputs) != 1:
        raise WeightsError(f"{name} has {len(outputs)} outputs, expected 1.")
    fields = table.table(4)
    options = {key: read(fields) for key, read in OPTIONS[name].items()}
    return Operation(name, options, table.integers(1), outputs[0])


def _check_order(network: Network) -> None:
    """Refuse a network that reads a tensor before anything wrote it, or writes one twice."""
    known = {network.input, *network.constants}
    for name, _, inputs, output in network.operations:
        if missing := [number for number in inputs if number not in known]:
            raise WeightsError(f"{name} reads tensor {missing[0]} before it is computed; the file is damaged.")
        if output in known or not 0 <= output < len(network.shapes):
            raise WeightsError(f"{name} writes tensor {output}, which it must not; the file is damaged.")
        known.add(output)
    if not network.outputs or not known.issuperset(network.outputs):
        raise WeightsError(f"its outputs {network.outputs} are not all computed; the file is damaged.")


Read = Callable[[_Table | None], Option]


def _number(field: int, code: str = "i", default: int = 0) -> Read:
    return lambda fields: fields.scalar(field, code, default) if fields else default


def _flag(field: int) -> Read:
    return lambda fields: bool(fields.scalar(field, "b")) if fields else False


def _choice(field: int, kind: str, names: tuple[str, ...]) -> Read:
    def read(fields: _Table | None) -> str:
        number = fields.scalar(field, "b") if fields else 0
        if not 0 <= number < len(names):
            raise WeightsError(f"{kind} {number} is unknown; handnet reads {', '.join(names)}.")
        return names[number]

    return read


def _padding(field: int) -> Read:
    return _choice(field, "padding", ("same", "valid"))


def _activation(field: int) -> Read:
    return _choice(field, "activation", ("linear", "relu", "relu-1-to-1", "relu6"))


NUMBER_TYPES = {0: "float32", 1: "float16", 2: "int32", 4: "int64"}
# The options of each operation and their field numbers in the schema; the operations that are missing here are refused.
OPTIONS: dict[str, dict[str, Read]] = {
    "ADD": {"activation": _activation(0)},
    "CONCATENATION": {"axis": _number(0), "activation": _activation(1)},
    "CONV_2D": {
        "padding": _padding(0),
        "stride_w": _number(1),
        "stride_h": _number(2),
        "activation": _activation(3),
        "dilation_w": _number(4, default=1),
        "dilation_h": _number(5, default=1),
    },
    "DEPTHWISE_CONV_2D": {
        "padding": _padding(0),
        "stride_w": _number(1),
        "stride_h": _number(2),
        "activation": _activation(4),
        "dilation_w": _number(5, default=1),
        "dilation_h": _number(6, default=1),
    },
    "DEQUANTIZE": {},
    "FULLY_CONNECTED": {"activation": _activation(0), "keeps_dimensions": _flag(2)},
    "LOGISTIC": {},
    "MAX_POOL_2D": {
        "padding": _padding(0),
        "stride_w": _number(1),
        "stride_h": _number(2),
        "width": _number(3),
        "height": _number(4),
        "activation": _activation(5),
    },
    "MEAN": {"keeps_dimensions": _flag(0)},
    "PAD": {},
    "PRELU": {},
    "RESHAPE": {},
    "RESIZE_BILINEAR": {"align_corners": _flag(2), "half_pixel_centers": _flag(3)},
}
OPERATION_CODES = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    22: "RESHAPE",
    23: "RESIZE_BILINEAR",
    34: "PAD",
    40: "MEAN",
    54: "PRELU",
}
