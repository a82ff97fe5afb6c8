"""What runs an encoder over many photos: TensorFlow, or OpenVINO on a CPU, in 8-bit integers on request."""

import contextlib
import importlib.util
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.settings import ImageConfig
from handnet.errors import ConfigError, RunError, format_unknown
from handnet.networks.encoder import UNIT_LAYER
from handnet.networks.formats import check_format, write_network

# The least cosine of an engine's vectors with the encoder's, by precision; 8 bits lose more, and who asks for them knows.
MIN_COSINES: Mapping[str, float] = {"int8": 0.95}
MIN_COSINE = 0.999
# Photos on which 8-bit ranges are chosen; NNCF's own default is 300.
NUM_CALIBRATION_PHOTOS = 128
# Either one multiplies bfloat16 in hardware; without them bfloat16 is slower than float32.
_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}


Samples = npt.NDArray[np.uint8] | None


class Engine(NamedTuple):
    """A compiled encoder.

    Attributes:
        name: a key of ENGINES.
        precision: what it computes in.
        embed: uint8 (B, S, S, 3) → float32 (B, D), for any B up to the batch size it was built for.
    """

    name: str
    precision: str
    embed: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def choose_engine() -> str:
    """Return the fastest engine here: OpenVINO on a CPU with bfloat16 units where it is installed, else TensorFlow.

    In float32 OpenVINO gains a third at most, and first has to convert the network.
    """
    if tf.config.list_physical_devices("GPU") or importlib.util.find_spec("openvino") is None:
        return "tensorflow"
    return "openvino" if has_bfloat16(read_cpu_flags()) else "tensorflow"


def read_cpu_flags() -> set[str]:
    """Return the processor's feature flags as Linux names them; empty on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    lines = [line.partition(":")[2] for line in text.splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()


def has_bfloat16(flags: set[str]) -> bool:
    """Return whether a processor with these flags multiplies bfloat16 in hardware."""
    return bool(flags & _BFLOAT16_FLAGS)


def build_engine(
    name: str,
    encoder: keras.Model,
    image: ImageConfig,
    batch_size: int,
    samples: npt.NDArray[np.uint8] | None = None,
) -> Engine:
    """Compile an encoder.

    Args:
        name: a key of ENGINES, or "auto".
        encoder: image (B, S, S, 3), values 0..255 → (B, D), in float32.
        image: its size.
        batch_size: the most photos at a time.
        samples: uint8 (N, S, S, 3), photos by which 8-bit ranges are chosen; needed by "openvino-int8" alone.

    Raises:
        ConfigError: an unknown engine, its package is not installed, or it needs samples and has none.
        RunError: the encoder cannot be converted.
    """
    if name == "auto":
        name = choose_engine()
    if name not in ENGINES:
        raise ConfigError(format_unknown("engine", name, ["auto", *ENGINES]))
    return ENGINES[name](encoder, image, batch_size, samples)


def check_engine(engine: Engine, encoder: keras.Model, images: npt.NDArray[np.uint8]) -> float:
    """Return the least cosine of the engine's vectors with the encoder's own.

    Args:
        engine: what is checked.
        encoder: what it was built from.
        images: uint8 (B, S, S, 3), a few photos.

    Raises:
        RunError: it is below 0.999, in 8-bit integers below 0.95.
    """
    expected = np.asarray(keras.ops.convert_to_numpy(encoder.predict_on_batch(images)), np.float64)
    received = engine.embed(images).astype(np.float64)
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(received, axis=1)
    cosine = float(np.min((expected * received).sum(axis=1) / norms, initial=1.0))
    least = MIN_COSINES.get(engine.precision, MIN_COSINE)
    if not cosine > least:
        raise RunError(
            f"The engine {engine.name} in {engine.precision} gives other vectors than the encoder: cosine {cosine:.5f}, "
            f"expected above {least}. Use --engine tensorflow."
        )
    return cosine


def _build_tensorflow(encoder: keras.Model, image: ImageConfig, batch_size: int, samples: Samples) -> Engine:
    del image, samples

    def embed(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        # One shape is traced once; its last batch is filled up.
        outputs = encoder.predict_on_batch(_pad(images, batch_size))
        return np.asarray(keras.ops.convert_to_numpy(outputs)[: len(images)], np.float32)

    return Engine("tensorflow", encoder.compute_dtype, embed)


def _build_openvino(encoder: keras.Model, image: ImageConfig, batch_size: int, samples: Samples) -> Engine:
    if samples is not None and len(samples) and has_bfloat16(read_cpu_flags()):
        engine = _compile_openvino("openvino", encoder, image, batch_size, "bf16", lambda model: model)
        try:
            check_engine(engine, encoder, samples[:8])
        except RunError:
            # Some networks need float32, as `hand` does for the logarithms of its colours.
            pass
        else:
            return engine
    return _compile_openvino("openvino", encoder, image, batch_size, "f32", lambda model: model)


def _build_openvino_int8(encoder: keras.Model, image: ImageConfig, batch_size: int, samples: Samples) -> Engine:
    """Quantise weights and activations to 8 bits with NNCF, ranges chosen on the samples."""
    if importlib.util.find_spec("nncf") is None:
        raise ConfigError("The engine openvino-int8 needs the package nncf. Install it: pip install 'handnet[int8]'")
    if samples is None or not len(samples):
        raise ConfigError(
            "The engine openvino-int8 needs photos to choose its ranges by. Received: none that can be decoded."
        )
    rows = [image_row[None].astype(np.float32) for image_row in samples]

    def quantise(model: Any) -> Any:
        # NNCF reports its use to its makers over the network, but for where it is told that it is being tested.
        os.environ["NNCF_CI"] = "1"
        import nncf

        try:
            with _quiet_nncf():
                return nncf.quantize(model, nncf.Dataset(rows), subset_size=len(rows))
        except (RuntimeError, ValueError, nncf.InternalError, nncf.UnsupportedModelError) as error:
            raise RunError(
                f"NNCF cannot bring this network to 8 bits: {str(error).splitlines()[0]}. Use --engine openvino or tensorflow."
            ) from error

    # The normalisation at the end is left out of it: in 8 bits its lengths are off by half, and on some processors zero.
    rows_only = keras.Model(encoder.input, encoder.get_layer(UNIT_LAYER).input, name=encoder.name)

    def build(one_by_one: bool) -> Engine:
        engine = _compile_openvino("openvino-int8", rows_only, image, batch_size, "int8", quantise, one_by_one)

        def embed(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            rows = engine.embed(images)
            unit: npt.NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            return unit

        return engine._replace(embed=embed)

    engine = build(one_by_one=False)
    # On AVX-512 OpenVINO 2026.4 was seen to return nothing but zeros for a small network in several streams, not in one.
    return engine if engine.embed(samples[:8]).any() else build(one_by_one=True)


@contextlib.contextmanager
def _quiet_nncf() -> Iterator[None]:
    """Keep NNCF's progress bars and advice off the terminal."""
    log = logging.getLogger("nncf")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        log.setLevel(level)


def _compile_openvino(
    name: str,
    encoder: keras.Model,
    image: ImageConfig,
    batch_size: int,
    precision: str,
    change: Callable[[Any], Any],
    one_by_one: bool = False,
) -> Engine:
    check_format("openvino")
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        write_network("openvino", encoder, image.size_px, Path(folder) / "model")
        core = openvino.Core()
        model = change(core.read_model(str(Path(folder) / "model" / "model.xml")))
        hint = "f32" if precision == "int8" else precision
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint}
        settings["PERFORMANCE_HINT"] = "LATENCY" if one_by_one else "THROUGHPUT"
        # Each stream takes its share of a batch, on cores of its own.
        streams = core.compile_model(model, "CPU", settings).get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        share = 1 if one_by_one else max(1, batch_size // streams)
        model.reshape([share, image.size_px, image.size_px, 3])
        queue = openvino.AsyncInferQueue(core.compile_model(model, "CPU", settings), streams)
    outputs: dict[int, npt.NDArray[np.float32]] = {}
    queue.set_callback(lambda request, begin: outputs.__setitem__(begin, request.get_output_tensor(0).data.copy()))

    def embed(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        outputs.clear()
        for begin in range(0, len(images), share):
            queue.start_async({0: _pad(images[begin : begin + share], share).astype(np.float32)}, begin)
        queue.wait_all()
        return np.concatenate([outputs[begin] for begin in sorted(outputs)])[: len(images)]

    return Engine(name, precision, embed)


def _pad(images: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    return np.pad(images, [(0, count - len(images)), (0, 0), (0, 0), (0, 0)])


ENGINES: Mapping[str, Callable[[keras.Model, ImageConfig, int, Samples], Engine]] = {
    "tensorflow": _build_tensorflow,
    "openvino": _build_openvino,
    "openvino-int8": _build_openvino_int8,
}
