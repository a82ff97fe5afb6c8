"""The reader of .tflite files: what a small file holds, and that damaged ones are refused in one line."""

import struct
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.images.hand_models.tflite import OPTIONS, parse_tflite, read_tflite

FILE = Path(__file__).parents[2] / "goldens" / "tiny.tflite"


def test_a_file_is_read_whole():
    network = read_tflite(FILE)
    assert network.shapes[network.input] == (1, 16, 16, 3)
    assert [network.shapes[number] for number in network.outputs] == [(1, 128, 1), (1, 8)]
    names = [operation.name for operation in network.operations]
    assert set(names) == set(OPTIONS), "tiny.tflite has every operation that handnet reads"
    first = next(operation for operation in network.operations if operation.name == "CONV_2D")
    assert first.options == {
        "padding": "same",
        "stride_w": 2,
        "stride_h": 2,
        "activation": "relu6",
        "dilation_w": 1,
        "dilation_h": 1,
    }
    assert {str(array.dtype) for array in network.constants.values()} == {"float16", "int32"}


def test_a_missing_file_and_a_foreign_one_are_one_line(tmp_path):
    with pytest.raises(WeightsError, match=r"Cannot read '.*none\.tflite': No such file or directory\."):
        read_tflite(tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("a long enough text")
    with pytest.raises(WeightsError, match=r"bytes 4 to 8 are b'ng e', expected b'TFL3'"):
        read_tflite(tmp_path / "text.tflite")


@pytest.mark.parametrize("length", [0, 3, 7, 8, 12, 40, 200, 1000, 4000, 8000])
def test_a_truncated_file_is_refused(length):
    with pytest.raises(WeightsError):
        parse_tflite(FILE.read_bytes()[:length])


@pytest.mark.slow
def test_damage_anywhere_is_refused_or_harmless():
    whole = FILE.read_bytes()
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(600):
        damaged = bytearray(whole)
        at = int(random.integers(8, len(whole) - 4))
        damaged[at : at + 4] = struct.pack("<I", int(random.choice([0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1])))
        try:
            network = parse_tflite(bytes(damaged))
        except WeightsError:
            refused += 1
        else:
            # Whatever was read is small and whole: no list is longer than the file.
            assert sum(array.nbytes for array in network.constants.values()) <= len(whole)
    assert refused > 100


def test_a_weight_that_is_no_number_is_refused():
    whole = FILE.read_bytes()
    weights = max(
        (a for a in read_tflite(FILE).constants.values() if a.dtype == np.float16), key=lambda array: array.size
    )
    at = whole.index(weights.tobytes())
    with pytest.raises(WeightsError, match="not a finite number"):
        parse_tflite(whole[:at] + b"\x00\x7c" + whole[at + 2 :])
