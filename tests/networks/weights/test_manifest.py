"""The record of a folder of weights."""

import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.manifest import hash_file
from handnet.networks.weights.source import read_pretrained
from tests.networks.weights.records import make_record


def test_hash_of_known_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert hash_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a record"),
        ("[]", "not a record"),
        ('{"arch": "x"}', "not a record"),
        (None, "has format 2; this version reads 1"),
        ("../x", "outside its folder"),
    ],
)
def test_damaged_records_are_refused(text, message, tmp_path):
    if text is None:
        make_record(tmp_path, format=2)
    elif text == "../x":
        make_record(tmp_path, file="../x")
    else:
        (tmp_path / "handnet.json").write_text(text)
    with pytest.raises(WeightsError, match=message):
        read_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": 3}, "'file' is 3"),
        ({"num_bytes": "many"}, "'num_bytes' is 'many'"),
        ({"sha256": 5}, "'sha256' is 5"),
        ({"arch": ["resnet50"]}, r"'arch' is \['resnet50'\]"),
        ({"pixel_scale": ["a", "b", "c"]}, "'pixel_scale' must hold a number for each of three channels"),
        ({"pixel_scale": [1.0, 2.0]}, "'pixel_scale' must hold a number for each of three channels"),
        ({"pixel_offset": [float("nan")] * 3}, "'pixel_offset' must hold a number for each of three channels"),
        ({"pixel_offset": [1e300] * 3}, "'pixel_offset' must hold a number for each of three channels"),
        ({"pixel_offset": 3}, "'pixel_offset' must hold a number for each of three channels"),
    ],
)
def test_entries_of_another_kind_are_refused_in_words(changes, message, tmp_path):
    make_record(tmp_path, **changes)
    with pytest.raises(WeightsError, match=f"is not a record of weights: {message}"):
        read_pretrained(tmp_path)


def test_a_record_that_nests_too_deeply_is_refused_in_words(tmp_path):
    (tmp_path / "handnet.json").write_text("[" * 100_000)
    with pytest.raises(WeightsError, match="nested too deeply"):
        read_pretrained(tmp_path)
