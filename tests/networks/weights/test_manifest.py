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
