"""A graph in a session of TensorFlow's C library: without TensorFlow's Python part and without Keras.

Importing these two takes four seconds of a processor, loading the C library that they call 0.4. The operations, and what computes
them, are the same.

Reference:
    tensorflow/c/c_api.h, which TensorFlow keeps stable between versions: https://www.tensorflow.org/install/lang_c
"""

import ctypes
import importlib.util
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from handnet.console import turn_stderr_aside
from handnet.errors import HandnetError

_INVALID_ARGUMENT = 3
_STRING = 7
_STRING_BYTES = 24
# TF_DataType of c_api.h.
_DTYPES: Mapping[int, Any] = {1: np.float32, 3: np.int32, 4: np.uint8, 9: np.int64, 10: np.bool_}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_LIBRARIES = ("libtensorflow_cc.so.*", "libtensorflow_cc.*.dylib")

# What an input is given as: a scalar string, strings (N,) or an array.
Value: TypeAlias = bytes | Sequence[bytes] | npt.NDArray[Any]

_Pointer, _Size, _Status = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p


class GraphError(HandnetError):
    """The graph cannot be run in this way: the caller takes the ordinary one."""


class RefusedInputError(GraphError):
    """An operation refuses what it was given, e.g. bytes that are no photo."""


class _Output(ctypes.Structure):
    _fields_ = (("operation", _Pointer), ("index", ctypes.c_int))


# Each function with what it takes and returns.
_SIGNATURES: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_NewStatus": (_Status, ()),
    "TF_GetCode": (ctypes.c_int, (_Status,)),
    "TF_Message": (ctypes.c_char_p, (_Status,)),
    "TF_NewGraph": (_Pointer, ()),
    "TF_NewBufferFromString": (_Pointer, (ctypes.c_char_p, _Size)),
    "TF_DeleteBuffer": (None, (_Pointer,)),
    "TF_NewImportGraphDefOptions": (_Pointer, ()),
    "TF_DeleteImportGraphDefOptions": (None, (_Pointer,)),
    "TF_GraphImportGraphDef": (None, (_Pointer, _Pointer, _Pointer, _Status)),
    "TF_GraphOperationByName": (_Pointer, (_Pointer, ctypes.c_char_p)),
    "TF_NewSessionOptions": (_Pointer, ()),
    "TF_DeleteSessionOptions": (None, (_Pointer,)),
    "TF_SetConfig": (None, (_Pointer, ctypes.c_char_p, _Size, _Status)),
    "TF_NewSession": (_Pointer, (_Pointer, _Pointer, _Status)),
    "TF_AllocateTensor": (_Pointer, (ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int, _Size)),
    "TF_DeleteTensor": (None, (_Pointer,)),
    "TF_TensorData": (_Pointer, (_Pointer,)),
    "TF_TensorType": (ctypes.c_int, (_Pointer,)),
    "TF_TensorByteSize": (_Size, (_Pointer,)),
    "TF_NumDims": (ctypes.c_int, (_Pointer,)),
    "TF_Dim": (ctypes.c_int64, (_Pointer, ctypes.c_int)),
    "TF_StringInit": (None, (_Pointer,)),
    "TF_StringCopy": (None, (_Pointer, ctypes.c_char_p, _Size)),
    "TF_StringDealloc": (None, (_Pointer,)),
    "TF_StringGetDataPointer": (_Pointer, (_Pointer,)),
    "TF_StringGetSize": (_Size, (_Pointer,)),
    "TF_SessionRun": (
        None,
        (
            *(_Pointer, _Pointer, ctypes.POINTER(_Output), ctypes.POINTER(_Pointer), ctypes.c_int),
            *(ctypes.POINTER(_Output), ctypes.POINTER(_Pointer), ctypes.c_int),
            *(_Pointer, ctypes.c_int, _Pointer, _Status),
        ),
    ),
}


def find_library() -> Path | None:
    """Return the file of TensorFlow's C library, without importing TensorFlow; None where the installed one has none."""
    found = importlib.util.find_spec("tensorflow")
    folders = found.submodule_search_locations if found is not None else None
    files = [file for folder in folders or () for pattern in _LIBRARIES for file in Path(folder).glob(pattern)]
    return min(files, default=None)


class GraphSession:
    """A graph in a session; not for several threads at once. It lives until the process ends."""

    def __init__(self, graph: bytes | memoryview, config: bytes) -> None:
        """Load the graph.

        Args:
            graph: a serialized GraphDef.
            config: a serialized ConfigProto.

        Raises:
            GraphError: TensorFlow's C library cannot be loaded here, or it refuses the graph.
        """
        self._library = _load_library()
        self._status = self._library.TF_NewStatus()
        self._graph = self._library.TF_NewGraph()
        self._import(bytes(graph))
        self._session = self._open(config)

    def check_names(self, tensors: Iterable[str]) -> None:
        """Raise GraphError where the graph lacks one of these tensors, e.g. "contents:0"."""
        for tensor in tensors:
            self._find(tensor)

    def run(
        self, inputs: Mapping[str, Value], outputs: Sequence[str], target: str = ""
    ) -> tuple[npt.NDArray[Any], ...]:
        """Compute tensors.

        Args:
            inputs: by the names of the tensors that are fed.
            outputs: names of the tensors that are computed.
            target: an operation that is carried out too.

        Returns:
            The outputs in order; strings as arrays of bytes objects.

        Raises:
            RefusedInputError: an operation refuses what it was given.
            GraphError: the computation fails for another reason, or there is no such tensor.
        """
        fed, fetched = [self._find(name) for name in inputs], [self._find(name) for name in outputs]
        targets = (_Pointer * 1)(self._find(target).operation) if target else None
        given = [self._make_tensor(value) for value in inputs.values()]
        results = (_Pointer * len(fetched))()
        try:
            self._library.TF_SessionRun(
                *(self._session, None),
                *((_Output * len(fed))(*fed), (_Pointer * len(given))(*given), len(given)),
                *((_Output * len(fetched))(*fetched), results, len(fetched)),
                *(targets, int(bool(target)), None, self._status),
            )
            self._check()
            return tuple(self._read_tensor(int(result)) for result in results if result)
        finally:
            for tensor in given:
                self._free(tensor)
            for result in filter(None, results):
                self._free(result)

    def _import(self, graph: bytes) -> None:
        buffer = self._library.TF_NewBufferFromString(graph, len(graph))
        options = self._library.TF_NewImportGraphDefOptions()
        self._library.TF_GraphImportGraphDef(self._graph, buffer, options, self._status)
        self._library.TF_DeleteImportGraphDefOptions(options)
        self._library.TF_DeleteBuffer(buffer)
        self._check()

    def _open(self, config: bytes) -> int:
        options = self._library.TF_NewSessionOptions()
        self._library.TF_SetConfig(options, config, len(config), self._status)
        self._check()
        session = self._library.TF_NewSession(self._graph, options, self._status)
        self._library.TF_DeleteSessionOptions(options)
        self._check()
        return int(session)

    def _find(self, tensor: str) -> _Output:
        name, _, index = tensor.partition(":")
        if index and not (index.isascii() and index.isdecimal()):
            raise GraphError(f"{tensor!r} names no output of an operation.")
        operation = self._library.TF_GraphOperationByName(self._graph, name.encode())
        if not operation:
            raise GraphError(f"The graph has no operation {name!r}.")
        return _Output(operation, int(index or 0))

    def _check(self) -> None:
        if code := self._library.TF_GetCode(self._status):
            message = self._library.TF_Message(self._status).decode(errors="replace")
            raise (RefusedInputError if code == _INVALID_ARGUMENT else GraphError)(message)

    def _make_tensor(self, value: Value) -> int:
        if isinstance(value, np.ndarray):
            array = np.ascontiguousarray(value)
            if array.dtype not in _CODES:
                raise GraphError(f"Arrays of {array.dtype} cannot be given to a graph.")
            tensor = self._allocate(_CODES[array.dtype], array.shape, array.nbytes)
            ctypes.memmove(self._library.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
            return tensor
        strings = [value] if isinstance(value, bytes) else value
        shape = () if isinstance(value, bytes) else (len(value),)
        tensor = self._allocate(_STRING, shape, _STRING_BYTES * len(strings))
        for place, string in zip(self._list_strings(tensor), strings, strict=True):
            self._library.TF_StringInit(place)
            self._library.TF_StringCopy(place, string, len(string))
        return tensor

    def _allocate(self, code: int, shape: tuple[int, ...], num_bytes: int) -> int:
        dims = (ctypes.c_int64 * len(shape))(*shape)
        return int(self._library.TF_AllocateTensor(code, dims, len(shape), num_bytes))

    def _list_strings(self, tensor: int) -> list[int]:
        begin, num_bytes = self._library.TF_TensorData(tensor), self._library.TF_TensorByteSize(tensor)
        return [begin + at for at in range(0, num_bytes, _STRING_BYTES)]

    def _read_tensor(self, tensor: int) -> npt.NDArray[Any]:
        shape = [self._library.TF_Dim(tensor, axis) for axis in range(self._library.TF_NumDims(tensor))]
        code = self._library.TF_TensorType(tensor)
        if code == _STRING:
            strings = np.empty(shape, object)
            strings.flat[:] = [self._read_string(place) for place in self._list_strings(tensor)]
            return strings
        if code not in _DTYPES:
            raise GraphError(f"The graph gives a tensor of type {code} (TF_DataType), which cannot be read.")
        contents = ctypes.string_at(self._library.TF_TensorData(tensor), self._library.TF_TensorByteSize(tensor))
        return np.frombuffer(contents, _DTYPES[code]).reshape(shape)

    def _read_string(self, place: int) -> bytes:
        size = self._library.TF_StringGetSize(place)
        return ctypes.string_at(self._library.TF_StringGetDataPointer(place), size)

    def _free(self, tensor: int) -> None:
        if self._library.TF_TensorType(tensor) == _STRING:
            for place in self._list_strings(tensor):
                self._library.TF_StringDealloc(place)
        self._library.TF_DeleteTensor(tensor)


@cache
def _load_library() -> ctypes.CDLL:
    file = find_library()
    if file is None:
        raise GraphError("TensorFlow is not installed here, or without its C library.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with turn_stderr_aside():
            library = ctypes.CDLL(str(file))
        for name, (returned, taken) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = returned, taken
    except (OSError, AttributeError) as error:
        raise GraphError(f"TensorFlow's C library cannot be used: {error}") from None
    return library
