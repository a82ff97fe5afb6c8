"""A frozen graph run by TensorFlow's C library, without TensorFlow's Python part and without Keras.

Importing these two takes four seconds of a processor, loading the C library that they call 0.4. The operations, and what computes
them, are the same: `handnet.networks.freezing` writes such graphs.

Reference:
    tensorflow/c/c_api.h, which TensorFlow keeps stable between versions: https://www.tensorflow.org/install/lang_c
"""

import ctypes
import importlib.util
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.console import turn_stderr_aside
from handnet.errors import HandnetError

# A serialized ConfigProto: no GPU (device_count), and the graph run as it was written (opt_level L0, disable_meta_optimizer):
# optimizing it would take seconds, for answers of a twentieth of a second.
CONFIG = bytes.fromhex("0a070a03475055100052121a0b18ffffffffffffffffff015203980101")
_INVALID_ARGUMENT = 3
_STRING = 7
_STRING_BYTES = 24
# TF_DataType of c_api.h.
_DTYPES: Mapping[int, Any] = {1: np.float32, 3: np.int32, 4: np.uint8, 9: np.int64, 10: np.bool_}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_LIBRARIES = ("libtensorflow_cc.so.*", "libtensorflow_cc.*.dylib")

_Pointer, _Size, _Status = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p


class GraphError(HandnetError):
    """The graph cannot be run in this way: the caller takes the ordinary one."""


class RefusedInputError(GraphError):
    """An operation refuses what it was given, e.g. bytes that are no photo."""


class FrozenGraph(NamedTuple):
    """A graph whose variables are constants.

    Attributes:
        graph: a serialized GraphDef.
        inputs: by name, the tensor that is fed ("contents:0").
        outputs: by name, the tensor that is fetched.
    """

    graph: bytes
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


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


class GraphRunner:
    """A frozen graph in a session; not for several threads at once. It lives until the process ends."""

    def __init__(self, frozen: FrozenGraph) -> None:
        """Load the graph.

        Raises:
            GraphError: TensorFlow's C library cannot be loaded here, or it refuses the graph.
        """
        self._library = _load_library()
        self._status = self._library.TF_NewStatus()
        self._graph = self._library.TF_NewGraph()
        self._import(frozen.graph)
        self._session = self._open()
        self._inputs = {name: self._find(tensor) for name, tensor in frozen.inputs.items()}
        self._outputs = {name: self._find(tensor) for name, tensor in frozen.outputs.items()}

    def run(self, **inputs: bytes | npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Compute all outputs.

        Args:
            inputs: by name, the bytes of a scalar string or an array.

        Raises:
            RefusedInputError: an operation refuses what it was given.
            GraphError: the computation fails for another reason.
        """
        names = list(self._inputs)
        given = [self._make_tensor(inputs[name]) for name in names]
        results = (_Pointer * len(self._outputs))()
        try:
            self._library.TF_SessionRun(
                *(self._session, None),
                *((_Output * len(names))(*self._inputs.values()), (_Pointer * len(names))(*given), len(names)),
                *((_Output * len(results))(*self._outputs.values()), results, len(results)),
                *(None, 0, None, self._status),
            )
            self._check()
            return {name: self._read_tensor(result) for name, result in zip(self._outputs, results, strict=True)}
        finally:
            for name, tensor in zip(names, given, strict=True):
                if isinstance(inputs[name], bytes):
                    self._library.TF_StringDealloc(self._library.TF_TensorData(tensor))
                self._library.TF_DeleteTensor(tensor)
            for result in results:
                if result:
                    self._library.TF_DeleteTensor(result)

    def _import(self, graph: bytes) -> None:
        buffer = self._library.TF_NewBufferFromString(graph, len(graph))
        options = self._library.TF_NewImportGraphDefOptions()
        self._library.TF_GraphImportGraphDef(self._graph, buffer, options, self._status)
        self._library.TF_DeleteImportGraphDefOptions(options)
        self._library.TF_DeleteBuffer(buffer)
        self._check()

    def _open(self) -> int:
        options = self._library.TF_NewSessionOptions()
        self._library.TF_SetConfig(options, CONFIG, len(CONFIG), self._status)
        self._check()
        session = self._library.TF_NewSession(self._graph, options, self._status)
        self._library.TF_DeleteSessionOptions(options)
        self._check()
        return int(session)

    def _find(self, tensor: str) -> _Output:
        name, _, index = tensor.partition(":")
        operation = self._library.TF_GraphOperationByName(self._graph, name.encode())
        if not operation:
            raise GraphError(f"The frozen graph has no operation {name!r}.")
        return _Output(operation, int(index or 0))

    def _check(self) -> None:
        if code := self._library.TF_GetCode(self._status):
            message = self._library.TF_Message(self._status).decode(errors="replace")
            raise (RefusedInputError if code == _INVALID_ARGUMENT else GraphError)(message)

    def _make_tensor(self, value: bytes | npt.NDArray[Any]) -> int:
        if isinstance(value, bytes):
            tensor = self._library.TF_AllocateTensor(_STRING, None, 0, _STRING_BYTES)
            place = self._library.TF_TensorData(tensor)
            self._library.TF_StringInit(place)
            self._library.TF_StringCopy(place, value, len(value))
            return int(tensor)
        array = np.ascontiguousarray(value)
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self._library.TF_AllocateTensor(_CODES[array.dtype], dims, array.ndim, array.nbytes)
        ctypes.memmove(self._library.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return int(tensor)

    def _read_tensor(self, tensor: int) -> npt.NDArray[Any]:
        shape = [self._library.TF_Dim(tensor, axis) for axis in range(self._library.TF_NumDims(tensor))]
        contents = ctypes.string_at(self._library.TF_TensorData(tensor), self._library.TF_TensorByteSize(tensor))
        return np.frombuffer(contents, _DTYPES[self._library.TF_TensorType(tensor)]).reshape(shape)


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
