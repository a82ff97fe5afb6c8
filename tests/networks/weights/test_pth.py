"""PyTorch files read without torch: files that torch 2.13 wrote (tests/goldens/make_pth.py), and hostile ones."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.pth import read_pth

GOLDENS = Path(__file__).parents[2] / "goldens" / "pth"


@pytest.mark.parametrize("name", ["zip", "legacy", "checkpoint"])
def test_every_tensor_equals_torchs(name):
    with np.load(GOLDENS / "expected.npz") as expected:
        read = read_pth(GOLDENS / f"{name}.pth")
        assert set(read) == set(expected.files)
        for key in expected.files:
            assert read[key].dtype == expected[key].dtype, key
            np.testing.assert_array_equal(read[key], expected[key], err_msg=key)


@pytest.mark.parametrize("name", ["module", "module_legacy"])
def test_a_pickled_module_is_refused_by_name(name):
    with pytest.raises(WeightsError, match=r"torch\.nn\.modules\.linear\.Linear.*was not run.*state_dict"):
        read_pth(GOLDENS / f"{name}.pth")


class Exploit:
    def __init__(self, command: tuple):
        self.command = command

    def __reduce__(self):
        return self.command


def write_zip(path: Path, pickled: bytes, compression: int = zipfile.ZIP_STORED, **records: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, contents in records.items():
            archive.writestr(f"archive/data/{key.removeprefix('_')}", contents)
    return path


@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_no_code_in_a_file_is_run(container, tmp_path):
    marker = tmp_path / "was_run"
    attack = pickle.dumps({"weight": Exploit((os.mkdir, (str(marker),)))}, protocol=2)
    path = tmp_path / "attack.pth"
    if container == "zip":
        write_zip(path, attack)
    else:
        path.write_bytes(attack)
    with pytest.raises(WeightsError, match=r"(posix|nt)\.mkdir.*was not run"):
        read_pth(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "os system",
        "torch load",
        "numpy.core.multiarray scalar",
        "copyreg _reconstructor",
    ],
)
def test_other_globals_are_refused(name, tmp_path):
    module, attribute = name.split()
    pickled = b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b"(tR."
    with pytest.raises(WeightsError, match="was not run"):
        read_pth(write_zip(tmp_path / "x.pth", pickled))


def test_an_attack_on_the_readers_own_functions_does_nothing(tmp_path):
    # BUILD sets attributes on what GLOBAL gave; the reader's functions must not change by it.
    pickled = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}U\x08__code__U\x01xsb."
    with pytest.raises(WeightsError):
        read_pth(write_zip(tmp_path / "x.pth", pickled))
    with np.load(GOLDENS / "expected.npz") as expected:
        np.testing.assert_array_equal(read_pth(GOLDENS / "zip.pth")["float"], expected["float"])


def pickle_view(offset: int, shape: tuple, strides: tuple, length: int, kind: bytes = b"FloatStorage") -> bytes:
    """Write by hand what torch pickles for {"w": tensor}: the view of storage "0"."""
    out = io.BytesIO()
    out.write(b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\n" + kind + b"\n")
    out.write(b"U\x010U\x03cpu" + pickle.dumps(length, 2)[2:-1] + b"tQ")
    for value in (offset, shape, strides):
        out.write(pickle.dumps(value, 2)[2:-1])
    out.write(b"\x89}tRs.")
    return out.getvalue()


def test_the_hand_written_pickle_is_read(tmp_path):
    path = write_zip(tmp_path / "x.pth", pickle_view(1, (2, 2), (2, 1), 6), _0=np.arange(6, dtype="<f4").tobytes())
    np.testing.assert_array_equal(read_pth(path)["w"], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ((3, (2, 2), (2, 1), 6), "reaches beyond its storage"),
        ((0, (2,), (10**12,), 6), "reaches beyond its storage"),
        ((-1, (2,), (1,), 6), "has shape"),
        ((5, (3,), (-1,), 6), "has shape"),
        ((0, (2, 2), (1,), 6), "has shape"),
        ((0, (6,), (1,), 7), "needs 28 bytes, the file holds 24"),
        ((0, (10**12,), (1,), 10**12), "needs 4000000000000 bytes"),
    ],
)
def test_tensors_outside_their_memory_are_refused(view, message, tmp_path):
    path = write_zip(tmp_path / "x.pth", pickle_view(*view), _0=np.arange(6, dtype="<f4").tobytes())
    with pytest.raises(WeightsError, match=message):
        read_pth(path)


def test_a_compressed_record_is_refused(tmp_path):
    path = write_zip(
        tmp_path / "x.pth", pickle_view(0, (6,), (1,), 6), zipfile.ZIP_DEFLATED, _0=np.zeros(6, "<f4").tobytes()
    )
    with pytest.raises(WeightsError, match="is compressed"):
        read_pth(path)


@pytest.mark.parametrize("name", ["zip", "legacy"])
def test_a_file_cut_anywhere_is_refused(name, tmp_path):
    contents = (GOLDENS / f"{name}.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(0, len(contents) - 1, max(1, len(contents) // 97)):
        path.write_bytes(contents[:length])
        with pytest.raises(WeightsError, match=r"Fetch it again|which no state dict needs"):
            read_pth(path)


def test_a_changed_byte_of_a_tensor_is_refused(tmp_path):
    contents = bytearray((GOLDENS / "zip.pth").read_bytes())
    at = contents.index(np.float32(1.375).tobytes())
    contents[at] ^= 1
    (tmp_path / "x.pth").write_bytes(contents)
    with pytest.raises(WeightsError, match="Bad CRC-32"):
        read_pth(tmp_path / "x.pth")


def test_files_of_other_kinds_are_refused(tmp_path):
    (tmp_path / "x.pth").write_text("<html>Not found</html>")
    with pytest.raises(WeightsError, match="not a whole PyTorch file"):
        read_pth(tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="no tensors under"):
        read_pth(write_zip(tmp_path / "y.pth", pickle.dumps({"epoch": 3}, 2)))
    with pytest.raises(WeightsError, match="expected a dict of tensors, found list"):
        read_pth(write_zip(tmp_path / "z.pth", pickle.dumps([1], 2)))


def test_the_frequent_damages_are_named(tmp_path):
    whole = (GOLDENS / "zip.pth").read_bytes()
    path = tmp_path / "x.pth"
    for contents, reason in (
        (b"", "it is empty"),
        (b"<!DOCTYPE html>", "it begins with b'<!DO'"),
        (whole[: len(whole) // 2], "it is cut off"),
    ):
        path.write_bytes(contents)
        with pytest.raises(WeightsError, match=f"x.pth' is not a whole PyTorch file: {reason}"):
            read_pth(path)
