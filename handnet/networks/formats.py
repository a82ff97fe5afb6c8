"""Formats that other runtimes read: a network written in each, and run by its own runtime. Without Keras until one is written."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from handnet.config.presets import check_name
from handnet.errors import ConfigError, RunError

if TYPE_CHECKING:
    import keras

# onnx.TensorProto.DOUBLE
_ONNX_DOUBLE = 11
Embed = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


class Format(NamedTuple):
    """How an encoder is written and run: pixels in, vectors out.

    Attributes:
        file: the file by which the format is known in a version's folder.
        packages: what has to be installed to write and to check it.
        load: from the file to a function of float32 (B, S, S, 3), values 0..255, to (B, D); None where the SavedModel's
            own signatures are called.
    """

    file: str
    packages: tuple[str, ...] = ()
    load: Callable[[Path], Embed] | None = None


def check_format(name: str) -> None:
    """Raise where a format cannot be written here.

    Raises:
        ConfigError: an unknown format, or a package that it needs is not installed.
    """
    check_name("format", name, FORMATS)
    turn_off_telemetry()
    for package in FORMATS[name].packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ConfigError(
                f"The format {name!r} needs the package {package}: {error}. Install it: pip install 'handnet[formats]'."
            ) from None


def turn_off_telemetry() -> None:
    """Keep OpenVINO's converter from reporting each of its runs to its makers; to be called before openvino is imported.

    It sends them without having asked, and makes a folder ~/intel with an id of this machine.
    """
    # What is None here cannot be imported; the converter has a stub for where it is not installed.
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))


def write_network(name: str, encoder: keras.Model, size_px: int, folder: Path) -> None:
    """Write an encoder in a format into a new folder; LoRA's updates are merged into the matrices.

    Args:
        name: a key of FORMATS that has a `load`.
        encoder: float32 (B, S, S, 3), values 0..255 → (B, D).
        size_px: S.
        folder: made here, unless it is there and empty.

    Raises:
        RunError: the encoder has operations that the format's converter does not know.
    """
    import keras

    from handnet.networks.backbones.vision_transformer.lora import merge_lora

    encoder = merge_lora(encoder)
    folder.mkdir(exist_ok=True)
    if name == "onnx":
        teach_erfc()
    # Without it Keras refuses to export a model that was never called.
    pixels = keras.InputSpec("float32", (None, size_px, size_px, 3), name="image")
    try:
        with quiet():
            encoder.export(str(folder / FORMATS[name].file), format=name, verbose=False, input_signature=[pixels])
    # Converters let errors of every kind through.
    except Exception as error:
        raise RunError(explain_conversion(name, error)) from error


def teach_erfc() -> None:
    """Teach tf2onnx the complementary error function, into which TensorFlow's optimizer turns the exact GELU.

    ONNX has the error function alone: erfc(x) = 1 − erf(x).
    """
    from tf2onnx.handler import tf_op

    class Erfc:
        """The handler that tf2onnx calls for each such node."""

        @classmethod
        def version_9(cls, graph: Any, node: Any, **_: object) -> None:
            """Replace the node, from operator set 9 on."""
            dtype = np.float64 if graph.get_dtype(node.output[0]) == _ONNX_DOUBLE else np.float32
            one = graph.make_const(f"{node.name}/one", np.array(1, dtype))
            erf = graph.make_node("Erf", node.input)
            node.type = "Sub"
            graph.replace_inputs(node, [one.output[0], erf.output[0]])

    tf_op("Erfc")(Erfc)


def explain_conversion(name: str, error: Exception) -> str:
    """Return one line for an error of a converter or a runtime, of any type."""
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return f"This encoder cannot be converted to {name}: {reason[0][:300]}. Nothing was exported."


def _load_openvino(file: Path) -> Embed:
    turn_off_telemetry()
    import openvino

    # On processors with bfloat16 units OpenVINO computes in bfloat16 unless told otherwise.
    compiled = openvino.Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: np.asarray(compiled(images)[0])


def _load_onnx(file: Path) -> Embed:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.asarray(session.run(None, {name: images})[0])


def _load_litert(file: Path) -> Embed:
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(str(file))
    entry, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def embed(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        interpreter.resize_tensor_input(entry, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry, images)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(result))

    return embed


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the converters' chatter and warnings about their own future."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


FORMATS: Mapping[str, Format] = {
    "savedmodel": Format("saved_model.pb"),
    "openvino": Format("model.xml", ("openvino",), _load_openvino),
    "onnx": Format("model.onnx", ("tf2onnx", "onnxruntime"), _load_onnx),
    "litert": Format("model.tflite", ("ai_edge_litert",), _load_litert),
}
