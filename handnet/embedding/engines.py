"""What runs an encoder over many photos: TensorFlow, or OpenVINO on a CPU."""

import importlib.metadata
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.data.cache import find_model_file, mark_used, use_folder
from handnet.embedding.engine_names import BFLOAT16, FLOAT32, OPENVINO, TENSORFLOW
from handnet.embedding.predict import build_predict
from handnet.embedding.run_identity import digest_code
from handnet.errors import ConfigError, RunError, format_unknown
from handnet.files import new_folder
from handnet.networks.backbones.parameters import digest_weights
from handnet.networks.formats import check_format, write_network

# What a converted network consists of.
_CONVERTED_FILES = ("model.xml", "model.bin")
# The least cosine of an engine's vectors with the encoder's.
MIN_COSINE = 0.999
# Either one multiplies bfloat16 in hardware; without them bfloat16 is slower than float32.
_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}
# Parameters × photos from which OpenVINO is done first: DINOv2-B, 86 million, is converted in about 20 s of a core, which then
# saves 0.3 s a photo where there are bfloat16 units, else 0.05 s.
_WORTH_CONVERTING, _WORTH_LOADING, _WORTH_FLOAT32 = 1e10, 1e9, 1e11
Samples = npt.NDArray[np.uint8] | None
# Raises RunError where an engine's vectors are too far from its network's.
Check = Callable[["Engine", keras.Model, npt.NDArray[np.uint8]], float]


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


def choose_engine(encoder: keras.Model, num_photos: int, known_as: Mapping[str, Any] | None = None) -> str:
    """Return the engine that is done first: OpenVINO for much work on a CPU, best with bfloat16 units, else TensorFlow.

    OpenVINO is to be installed, and the work worth its conversion, or the network converted before and the work worth
    loading that. In float32 it gains a tenth to a third. On JAX, Keras's own forward pass goes by the name "tensorflow".

    Args:
        encoder: its parameters stand for the work of a photo.
        num_photos: the photos.
        known_as: as `build_engine`.
    """
    work = encoder.count_params() * num_photos
    if work < _WORTH_LOADING or importlib.util.find_spec("openvino") is None:
        return TENSORFLOW
    if tf.config.list_physical_devices("GPU") or keras.backend.backend() != "tensorflow":
        return TENSORFLOW
    if not has_bfloat16(read_cpu_flags()):
        return OPENVINO if work >= _WORTH_FLOAT32 else TENSORFLOW
    least = _WORTH_LOADING if _is_converted(_find_converted(encoder, known_as)) else _WORTH_CONVERTING
    return OPENVINO if work >= least else TENSORFLOW


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
    check: Check | None = None,
    known_as: Mapping[str, Any] | None = None,
) -> Engine:
    """Compile an encoder.

    Args:
        name: a key of ENGINES.
        encoder: image (B, S, S, 3), values 0..255 → (B, D), in float32.
        image: its size.
        batch_size: the most photos at a time.
        samples: uint8 (N, S, S, 3), photos on which bfloat16 is tried; without any OpenVINO computes in float32.
        check: what bfloat16 has to pass; None for `check_engine`.
        known_as: what tells this network from others of the same weights, e.g. its settings: a conversion is kept.

    Raises:
        ConfigError: an unknown engine, or its package is not installed.
        RunError: the encoder cannot be converted.
    """
    if name not in ENGINES:
        raise ConfigError(format_unknown("engine", name, ["auto", *ENGINES]))
    return ENGINES[name](encoder, _Order(image.size_px, batch_size, samples, check or check_engine, known_as))


def check_engine(engine: Engine, encoder: keras.Model, images: npt.NDArray[np.uint8]) -> float:
    """Return the least cosine of the engine's vectors with the encoder's own.

    Args:
        engine: what is checked.
        encoder: what it was built from.
        images: uint8 (B, S, S, 3), a few photos.

    Raises:
        RunError: it is below 0.999.
    """
    expected = np.asarray(keras.ops.convert_to_numpy(encoder.predict_on_batch(images)), np.float64)
    received = engine.embed(images).astype(np.float64)
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(received, axis=1)
    cosine = float(np.min((expected * received).sum(axis=1) / norms, initial=1.0))
    if not cosine > MIN_COSINE:
        raise RunError(
            f"The engine {engine.name} in {engine.precision} gives other vectors than the encoder: cosine {cosine:.5f}, "
            f"expected above {MIN_COSINE}. Use --engine tensorflow."
        )
    return cosine


class _Order(NamedTuple):
    """What `build_engine` was asked for."""

    size_px: int
    batch_size: int
    samples: Samples
    check: Check
    known_as: Mapping[str, Any] | None


def _build_tensorflow(encoder: keras.Model, order: _Order) -> Engine:
    predict = build_predict(encoder)

    def embed(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        # One shape is traced once; its last batch is filled up.
        outputs = predict(_pad(images, order.batch_size))
        return np.asarray(keras.ops.convert_to_numpy(outputs)[: len(images)], np.float32)

    return Engine(TENSORFLOW, encoder.compute_dtype, embed)


def _build_openvino(encoder: keras.Model, order: _Order) -> Engine:
    samples = order.samples
    if samples is not None and len(samples) and has_bfloat16(read_cpu_flags()):
        engine = _compile_openvino(encoder, order, BFLOAT16)
        try:
            order.check(engine, encoder, samples[: min(8, order.batch_size)])
        except RunError:
            # Some networks need float32, as `hand` does for the logarithms of its colours.
            pass
        else:
            return engine
    return _compile_openvino(encoder, order, FLOAT32)


def _compile_openvino(encoder: keras.Model, order: _Order, precision: str) -> Engine:
    check_format("openvino")
    import openvino

    core = openvino.Core()
    model = core.read_model(str(_convert_once(encoder, order) / "model.xml"))
    settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "THROUGHPUT"}
    # Each stream takes its share of a batch, on its own cores.
    streams = core.compile_model(model, "CPU", settings).get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    share = max(1, order.batch_size // streams)
    model.reshape([share, order.size_px, order.size_px, 3])
    queue = openvino.AsyncInferQueue(core.compile_model(model, "CPU", settings), streams)
    outputs: dict[int, npt.NDArray[np.float32]] = {}
    queue.set_callback(lambda request, begin: outputs.__setitem__(begin, request.get_output_tensor(0).data.copy()))

    def embed(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        outputs.clear()
        for begin in range(0, len(images), share):
            queue.start_async({0: _pad(images[begin : begin + share], share).astype(np.float32)}, begin)
        queue.wait_all()
        return np.concatenate([outputs[begin] for begin in sorted(outputs)])[: len(images)]

    return Engine(OPENVINO, precision, embed)


def _convert_once(encoder: keras.Model, order: _Order) -> Path:
    """Return the folder of the converted network: the one in the cache, else made now."""
    folder = _find_converted(encoder, order.known_as)
    use_folder(folder)
    if not _is_converted(folder):
        # Half of it may have been evicted.
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(folder) as made:
            write_network("openvino", encoder, order.size_px, made)
    mark_used(folder / name for name in _CONVERTED_FILES)
    return folder


def _find_converted(encoder: keras.Model, known_as: Mapping[str, Any] | None) -> Path:
    version = importlib.metadata.version("openvino") if importlib.util.find_spec("openvino") else ""
    described: dict[str, Any] = {"kind": "openvino 1", "weights": digest_weights(encoder), "code": digest_code()}
    if known_as is not None:
        described["known as"] = known_as
    return find_model_file({**described, "versions": [version, keras.version(), tf.__version__]}, ".openvino")


def _is_converted(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _CONVERTED_FILES)


def _pad(images: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    return np.pad(images, [(0, count - len(images)), (0, 0), (0, 0), (0, 0)])


ENGINES: Mapping[str, Callable[[keras.Model, _Order], Engine]] = {
    TENSORFLOW: _build_tensorflow,
    OPENVINO: _build_openvino,
}
