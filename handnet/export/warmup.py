"""Warm-up requests: what TensorFlow Serving runs through a new version before it takes traffic."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from handnet.export.signatures import DEFAULT

# TensorFlow Serving looks for exactly this file.
WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
WARMUP_BATCHES = (1, 8)
# Small, since a pixel of it is stored 27 times; the graphs are the same for photos of every size.
_GREY_PX = (24, 32)


def write_warmup(folder: Path, name: str, signatures: Sequence[str]) -> int:
    """Write a request for each signature and batch size, of one grey photo, and return how many there are.

    Args:
        folder: the SavedModel.
        name: the model's name at the server.
        signatures: its signatures.
    """
    file = folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    # From dark to light: a photo of one colour would be refused.
    course = np.linspace(64, 192, _GREY_PX[1]).astype(np.uint8)
    grey = np.broadcast_to(course[:, np.newaxis], (*_GREY_PX, 3))
    photo: bytes = tf.io.encode_jpeg(grey).numpy()
    inputs: dict[str, dict[str, Any]] = {
        DEFAULT: {"photos": [photo]},
        "embed": {"photos": [photo]},
        "embed_pixels": {"images": grey[None]},
        "verify": {"first": [photo], "second": [photo]},
        "verify_pixels": {"first": grey[None], "second": grey[None]},
    }
    requests = [(signature, batch) for signature in signatures for batch in WARMUP_BATCHES]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, batch in requests:
            tensors = {
                key: tf.make_tensor_proto(tf.repeat(value, batch, axis=0)) for key, value in inputs[signature].items()
            }
            writer.write(encode_request(name, signature, tensors))
    return len(requests)


def encode_request(model: str, signature: str, inputs: Mapping[str, TensorProto]) -> bytes:
    """Encode a tensorflow.serving.PredictionLog that holds one PredictRequest.

    Written by hand, since exporting must not need tensorflow-serving-api, which asks for one exact TensorFlow; the tests
    read it back with that package.

    Args:
        model: name of the model.
        signature: name of the signature.
        inputs: its inputs.

    Reference:
        tensorflow/serving, apis/prediction_log.proto (PredictionLog.predict_log = 6, PredictLog.request = 1), predict.proto
        (PredictRequest.model_spec = 1, inputs = 2), model.proto (ModelSpec.name = 1, signature_name = 3).
    """
    request = _field(1, _field(1, model.encode()) + _field(3, signature.encode()))
    for name, tensor in sorted(inputs.items()):
        request += _field(2, _field(1, name.encode()) + _field(2, tensor.SerializeToString()))
    return _field(6, _field(1, request))


def _field(number: int, payload: bytes) -> bytes:
    """Encode a length-delimited protocol buffer field."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
