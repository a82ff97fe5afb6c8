"""A table of photos that may lie anywhere."""

from pathlib import Path

import pytest

from handnet.data.example import Example
from handnet.data.readers.photo_table import read_photo_table
from handnet.errors import DataError


def read(folder: Path, text: str, base: str = "s3://bucket/hands") -> tuple[list[Example], list[str]]:
    (folder / "labels.csv").write_text(text)
    return read_photo_table(folder / "labels.csv", base)


def test_paths_are_addresses_or_relative_to_the_table(tmp_path: Path) -> None:
    rows = "photo,person,view,side,age\na/1.jpg,1,dorsal,left,30\nhttps://host/2.jpg?size=l,1,palmar,,31\n"
    examples, notes = read(tmp_path, rows)
    assert examples == [
        Example("s3://bucket/hands/a/1.jpg", "0000001", "dorsal", "left", {"age": "30"}),
        Example("https://host/2.jpg?size=l", "0000001", "palmar", "", {"age": "31"}),
    ]
    assert notes == []
    assert read(tmp_path, "path\n1.jpg\n", str(tmp_path))[0] == [Example(str(tmp_path / "1.jpg"), "")]


def test_rows_without_a_person_or_view_are_left_out_where_others_have_one(tmp_path: Path) -> None:
    examples, notes = read(tmp_path, "path,identity,view\n1.jpg,a,dorsal\n2.jpg,,palmar\n3.jpg,b,\n")
    assert [example.path for example in examples] == ["s3://bucket/hands/1.jpg"]
    assert notes == ["1 row (line 3) without an identity, left out.", "1 row (line 4) without a view, left out."]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("../1.jpg", "line 2: path must be relative"),
        ("/etc/passwd", "line 2: path must be relative"),
        ("file:///etc/passwd", "line 2: .* has the scheme 'file'"),
        ("https://u:SECRET@host/1.jpg", "line 2: .*has a user or a password"),
        ("1.jpg\n1.jpg", "line 3: s3://bucket/hands/1.jpg is in line 2 too"),
        ("", "There is no row in labels.csv"),
    ],
)
def test_hostile_and_wrong_rows_are_one_line(tmp_path: Path, rows: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected) as refusal:
        read(tmp_path, f"path\n{rows}\n")
    assert "SECRET" not in str(refusal.value)
