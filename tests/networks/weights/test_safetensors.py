"""The safetensors format: a file that torch wrote, the bytes of its specification, bfloat16, and hostile files."""

import json
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.safetensors import read_safetensors, write_safetensors

GOLDENS = Path(__file__).parents[2] / "goldens" / "pth"


def write_file(path: Path, header: object, body: bytes) -> Path:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def test_every_tensor_of_the_packages_file():
    with np.load(GOLDENS / "expected.npz") as expected:
        read = read_safetensors(GOLDENS / "safe.safetensors")
        assert set(read) == set(expected.files)
        for key in expected.files:
            assert read[key].dtype == expected[key].dtype, key
            np.testing.assert_array_equal(read[key], expected[key], err_msg=key)


def test_bfloat16_is_widened_exactly(tmp_path):
    # All 65,536 patterns: the upper half of a float32 with zeros below.
    patterns = np.arange(2**16, dtype="<u2")
    entry = {"dtype": "BF16", "shape": [2**16], "data_offsets": [0, 2**17]}
    read = read_safetensors(write_file(tmp_path / "x.safetensors", {"w": entry}, patterns.tobytes()))["w"]
    assert read.dtype == np.float32
    expected = (patterns.astype("<u4") << 16).view("<f4")
    np.testing.assert_array_equal(np.isnan(read), np.isnan(expected))
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(read[numbers].view("<u4"), expected[numbers].view("<u4"))


def test_tensors_that_overlap_or_leave_holes_are_refused(tmp_path):
    for second in ([4, 12], [12, 20]):
        header = {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": second},
        }
        with pytest.raises(WeightsError, match="not a whole safetensors file"):
            read_safetensors(write_file(tmp_path / "x.safetensors", header, bytes(second[1])))


def test_written_bytes(tmp_path):
    write_safetensors(tmp_path / "x.safetensors", {"b": np.array([1.0, 2.0]), "a": np.array([[3]], np.int64)})
    contents = (tmp_path / "x.safetensors").read_bytes()
    size = int.from_bytes(contents[:8], "little")
    assert size % 8 == 0
    assert json.loads(contents[8 : 8 + size]) == {
        "a": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
    }
    assert contents[8 + size :] == np.array([3, 1, 2], "<f4").tobytes()


@pytest.mark.parametrize(
    ("entry", "body", "message"),
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, b"1234", "not fully covered"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, b"123456789", "not fully covered"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, b"12345678", "invalid shape, data type, or offset"),
        ({"dtype": "F32", "shape": [-2, -1], "data_offsets": [0, 8]}, b"12345678", "invalid value"),
        ({"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}, b"12345678", "float8_e4m3"),
        ({"dtype": "F32", "shape": "x", "data_offsets": [0, 8]}, b"12345678", "expected a sequence"),
        ({"dtype": "F32"}, b"12345678", "shape"),
        ([], b"", "not a whole"),
    ],
)
def test_tensors_that_do_not_fit_the_file_are_refused(entry, body, message, tmp_path):
    with pytest.raises(WeightsError, match=message):
        read_safetensors(write_file(tmp_path / "x.safetensors", {"w": entry}, body))


@pytest.mark.parametrize("contents", [b"", b"12345678", b"\xff" * 8 + b"{}", b"\x02" + b"\0" * 7 + b"[]"])
def test_damaged_headers_are_refused(contents, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(contents)
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_safetensors(tmp_path / "x.safetensors")


def test_a_file_cut_anywhere_is_refused(tmp_path):
    contents = (GOLDENS / "safe.safetensors").read_bytes()
    for length in range(0, len(contents), 31):
        (tmp_path / "x.safetensors").write_bytes(contents[:length])
        with pytest.raises(WeightsError, match="not a whole safetensors file"):
            read_safetensors(tmp_path / "x.safetensors")


def test_half_the_size_is_read_back_and_what_is_too_large_is_refused(tmp_path):
    state = {"w": np.array([1.0, -0.333251953125, 6.1e-5], np.float32)}
    write_safetensors(tmp_path / "half.safetensors", state, np.float16)
    read = read_safetensors(tmp_path / "half.safetensors")["w"]
    assert read.dtype == np.float16
    np.testing.assert_allclose(read, state["w"], rtol=1e-3)
    with pytest.raises(WeightsError, match="'w' hold numbers too large for float16. Write float32"):
        write_safetensors(tmp_path / "large.safetensors", {"w": np.array([1e5], np.float32)}, np.float16)
