"""The formats of an exported encoder, each written and then run on photos by its own runtime."""

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from handnet.backbones.lora import merge_lora
from handnet.config import ImageConfig
from handnet.errors import ConfigError, RunError
from handnet.evaluation.calibration import Calibration
from handnet.export.signatures import PairHead, compare_archive, write_archive

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
    for package in FORMATS[name].packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ConfigError(
                f"The format {name!r} needs the package {package}: {error}. Install it: pip install 'handnet[formats]'."
            ) from None


def write_format(
    name: str,
    encoder: keras.Model,
    image: ImageConfig,
    calibration: Calibration | None,
    folder: Path,
    head: PairHead | None = None,
) -> list[str]:
    """Write the encoder in a format and return the names of its signatures, of which only a SavedModel has any.

    Raises:
        RunError: the encoder has operations that the format's converter does not know.
    """
    # What is written is checked against the encoder as it was trained, so the check covers the merge.
    encoder = merge_lora(encoder)
    if name == "savedmodel":
        return write_archive(encoder, image, calibration, folder, head)
    folder.mkdir()
    if name == "onnx":
        teach_erfc()
    # Without it Keras refuses to export a model that was never called.
    pixels = keras.InputSpec("float32", (None, image.size_px, image.size_px, 3), name="image")
    try:
        with _quiet():
            encoder.export(str(folder / FORMATS[name].file), format=name, verbose=False, input_signature=[pixels])
    # Converters raise whatever their depths raise.
    except Exception as error:
        raise RunError(_explain_conversion(name, error)) from error
    return []


def compare_format(
    name: str,
    folder: Path,
    paths: Sequence[str],
    images: npt.NDArray[np.uint8],
    expected: npt.NDArray[np.float32],
    image: ImageConfig,
    calibration: Calibration | None,
    scores: npt.NDArray[np.float32] | None = None,
) -> float:
    """Run a written model on photos and return the largest absolute difference from the encoder's vectors.

    Args:
        name: the format.
        folder: the written model.
        paths: the photos.
        images: uint8 (N, S, S, 3), the same photos as training decodes them.
        expected: float32 (N, D), the encoder's vectors.
        image: how photos were decoded in training.
        calibration: of the SavedModel's `verify`.
        scores: float32 (N,), what `verify` should give for each photo with the first; None stands for the cosine.

    Raises:
        RunError: the format's runtime cannot run it.
    """
    load = FORMATS[name].load
    if load is None:
        return compare_archive(folder, paths, expected, image, calibration, scores)
    try:
        with _quiet():
            embed = load(folder / FORMATS[name].file)
        # Another batch size than the rest's shows that the batch is free.
        received = np.concatenate([embed(part.astype(np.float32)) for part in (images[:1], images[1:]) if len(part)])
    # A runtime raises its own errors, as for an operation that it does not know.
    except Exception as error:
        raise RunError(_explain_conversion(name, error)) from error
    difference = float(np.max(np.abs(received - expected), initial=0.0))
    return difference if np.isfinite(difference) else np.inf


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


def _explain_conversion(name: str, error: Exception) -> str:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return f"This encoder cannot be converted to {name}: {reason[0][:300]}. Nothing was exported."


def _load_openvino(file: Path) -> Embed:
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
def _quiet() -> Iterator[None]:
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
