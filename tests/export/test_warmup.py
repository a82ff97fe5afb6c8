"""Warm-up requests, read back byte by byte."""

from pathlib import Path

import pytest
import tensorflow as tf

from handnet.export.warmup import WARMUP_BATCHES, WARMUP_FILE, encode_request, write_warmup


def read_fields(data: bytes) -> list[tuple[int, bytes]]:
    """Return (number, payload) of the length-delimited fields of a protocol buffer."""
    fields, at = [], 0

    def read_number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key, size = read_number(), read_number()
        assert key & 7 == 2
        fields.append((key >> 3, data[at : at + size]))
        at += size
    return fields


def test_a_request_names_model_signature_and_inputs() -> None:
    tensor = tf.make_tensor_proto([1.0] * 300)
    [(six, log)] = read_fields(encode_request("hands", "embed", {"images": tensor}))
    [(one, request)] = read_fields(log)
    (first, spec), (second, entry) = read_fields(request)
    assert (six, one, first, second) == (6, 1, 1, 2)
    assert read_fields(spec) == [(1, b"hands"), (3, b"embed")]
    assert read_fields(entry) == [(1, b"images"), (2, tensor.SerializeToString())]


def test_each_signature_is_warmed_at_each_batch_size(tmp_path: Path) -> None:
    count = write_warmup(tmp_path, "hands", ["embed", "verify_pixels"])
    records = list(tf.data.TFRecordDataset(str(tmp_path / WARMUP_FILE)).as_numpy_iterator())
    assert len(records) == count == 2 * len(WARMUP_BATCHES)
    with pytest.raises(KeyError):
        write_warmup(tmp_path, "hands", ["unknown"])
