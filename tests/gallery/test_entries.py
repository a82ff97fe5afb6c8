"""Whom to enrol, from folders and tables."""

from pathlib import Path

import pytest

from handnet.errors import DataError
from handnet.gallery.entries import read_entries
from tests.gallery.simulated import write_photo


def test_folders_of_people_say_view_and_side(tmp_path: Path) -> None:
    for name in ("Ada/left palmar/1.jpg", "Ada/dorsal/2.png", "Bob/palmar/left/4.jpg"):
        write_photo(tmp_path / name, 1)
    entries = read_entries(tmp_path, side="right")
    found = {
        str(Path(entry.photo).relative_to(tmp_path)): (person, entry.view, entry.side)  # type: ignore[arg-type]
        for person, photos in entries.people.items()
        for entry in photos
    }
    assert found == {
        "Ada/left palmar/1.jpg": ("Ada", "palmar", "left"),
        "Ada/dorsal/2.png": ("Ada", "dorsal", "right"),
        "Bob/palmar/left/4.jpg": ("Bob", "palmar", "left"),
    }


def test_table_beside_its_photos(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("identity,path,view,side\nAda,a/1.jpg,Palmar,left\nBob,2.jpg,,\nAda,3.jpg,dorsal,\n")
    people = read_entries(table, view="palmar").people
    assert [(entry.photo, entry.view, entry.side) for entry in people["Ada"]] == [
        (tmp_path / "a/1.jpg", "palmar", "left"),
        (tmp_path / "3.jpg", "dorsal", ""),
    ]
    assert people["Bob"][0].view == "palmar"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("../x.jpg,Ada,,", "stay within"),
        ("/etc/passwd,Ada,,", "stay within"),
        ("x.jpg, ,,", "identity is blank"),
        ("x.jpg,Ada,front,", "Unknown view 'front'"),
        ("x.jpg,Ada,,both", "Unknown side 'both'"),
        ("x.jpg", "expected 4 cells"),
    ],
)
def test_mistakes_in_a_table_are_named_by_line(tmp_path: Path, row: str, words: str) -> None:
    table = tmp_path / "people.csv"
    table.write_text(f"path,identity,view,side\n{row}\n")
    with pytest.raises(DataError, match=f"line 2: .*{words}"):
        read_entries(table)


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"a folder of people, or a \.csv"):
        read_entries(tmp_path / "a.txt")
    (tmp_path / "empty.csv").write_text("path,identity\n")
    with pytest.raises(DataError, match="has no rows"):
        read_entries(tmp_path / "empty.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="no photo"):
        read_entries(tmp_path / "folder")
