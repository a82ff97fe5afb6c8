import os
from pathlib import Path

import pytest

from handnet.data.dataset import normalise_identity, people_with_both_views, require_both_views
from handnet.data.example import Example
from handnet.data.readers import READERS, read_dataset
from handnet.data.readers.hands11k import read_hands11k
from handnet.errors import ConfigError, DataError, printable
from tests.photos import HOSTILE_NAME, find_real_data, write_jpeg

HEADER = "id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"


def make_dataset(directory: Path, rows: list[str], photos: list[str], header: str = HEADER) -> Path:
    (directory / "Hands").mkdir(parents=True, exist_ok=True)
    (directory / "HandInfo.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    for name in photos:
        write_jpeg(directory / "Hands" / name)
    return directory


def row(identity: str, aspect: str, name: str, gender: str = "male") -> str:
    return f'"{identity}",27,"{gender}","fair",0,1,"{aspect}","{name}",0'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    rows = [
        row("0000007", "palmar left", "b.jpg", "female"),
        row("0000000", "dorsal right", "a.jpg"),
        row("7 ", "dorsal left", "c.jpg", "female"),
        row("1200000 ", "dorsal left", "absent.jpg"),
    ]
    return make_dataset(tmp_path, rows, ["a.jpg", "b.jpg", "c.jpg"])


def test_rows_keep_file_order_and_every_field(small: Path) -> None:
    dataset = read_hands11k(small)
    attributes = {
        "age": "27", "gender": "female", "skinColor": "fair",
        "accessories": "0", "nailPolish": "1", "irregularities": "0",
    }  # fmt: skip
    assert dataset.examples[0] == Example(str(small / "Hands" / "b.jpg"), "0000007", "palmar", "left", attributes)
    assert [(e.identity, e.view, e.side) for e in dataset.examples] == [
        ("0000007", "palmar", "left"),
        ("0000000", "dorsal", "right"),
        ("0000007", "dorsal", "left"),
    ]
    assert dataset.identities == ["0000007", "0000000"]
    assert dataset.all_identities == ["0000007", "0000000", "1200000"]
    assert dataset.problems == ()
    assert dataset.notes == (
        "3 of the 4 rows have a photo in Hands/. The rest, 1 row (absent.jpg), matters only where a split is made of the "
        "whole table.",
    )
    assert people_with_both_views(dataset.examples) == ["0000007"]


def test_a_relative_folder_gives_absolute_paths(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small)
    assert read_hands11k(Path("."))
    assert all(os.path.isabs(e.path) and os.path.exists(e.path) for e in read_hands11k(Path(".")).examples)


@pytest.mark.parametrize("text", ["0", "0000000", " 0000000 ", "0.0", "00000000000"])
def test_one_person_has_one_spelling(text: str) -> None:
    assert normalise_identity(text) == "0000000"


def test_ids_that_are_no_numbers_are_kept() -> None:
    assert [normalise_identity(t) for t in ("1200000 ", "559", "s1", "1.5", "Ann  B", "12345678", "²")] == [
        "1200000", "0000559", "s1", "1.5", "Ann  B", "12345678", "²",
    ]  # fmt: skip


def test_the_official_table() -> None:
    dataset = read_hands11k(find_real_data("hands11k-mini"))
    assert len(dataset.rows) == 11_076
    assert len(dataset.examples) == 856
    assert len(dataset.all_identities) == 189
    assert len(dataset.identities) == 143
    assert dataset.all_identities[:3] == ["0000000", "0000559", "0000065"]
    assert sum(r.view == "dorsal" for r in dataset.rows) == 2_892 + 2_788
    assert sum(r.view == "palmar" and r.side == "left" for r in dataset.rows) == 2_583
    assert dataset.problems == ()
    assert dataset.notes[0].startswith("856 of the 11,076 rows have a photo in Hands/. The rest, 10,220 rows (")


def test_what_does_not_fit_is_counted_and_named(tmp_path: Path) -> None:
    rows = [
        row("1", "dorsal right", "a.jpg"),
        row("2", "Palmar", "b.jpg"),
        row("2", "sideways left", "odd.jpg"),
        row("", "dorsal left", "nobody.jpg"),
        row("3", "dorsal left", ""),
        row("1", "dorsal right", "a.jpg"),
        ",,,,,,,,",
        "",
    ]
    dataset = read_hands11k(
        make_dataset(tmp_path, rows, ["a.jpg", "b.jpg", "odd.jpg", "nobody.jpg", "stray.PNG", "Thumbs.db"])
    )
    assert [(e.identity, e.view, e.side) for e in dataset.examples] == [
        ("0000001", "dorsal", "right"),
        ("0000002", "palmar", ""),
    ]
    # Everybody in the table counts for a split of the whole table.
    assert dataset.all_identities == ["0000001", "0000002", "0000003"]
    assert dataset.problems == (
        "1 photo (stray.PNG) in Hands/ without a row, left out.",
        "1 row (odd.jpg: 'sideways left') of unknown aspectOfHand, left out. "
        'Expected "dorsal left", "dorsal right", "palmar left" or "palmar right".',
        "2 rows (line 5, line 6) without an id or imageName, left out.",
        "1 row (a.jpg) repeating an earlier row, left out.",
    )


def test_spreadsheet_output_is_understood(tmp_path: Path) -> None:
    make_dataset(tmp_path, [], ["a.jpg"])
    text = "imageName, aspectOfHand ,id,note\r\na.jpg,DORSAL  Left,559.0,ä\r\n"
    (tmp_path / "HandInfo.csv").write_bytes(text.encode("utf-8-sig"))
    (example,) = read_hands11k(tmp_path).examples
    assert (example.identity, example.view, example.side, example.attributes) == (
        "0000559", "dorsal", "left", {"note": "ä"},
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_links_to_files_are_followed_and_only_files_count(tmp_path: Path) -> None:
    store = write_jpeg(tmp_path / "elsewhere")
    rows = [row("1", "dorsal left", f"{name}.jpg") for name in ("link", "broken", "folder", "pipe")]
    directory = make_dataset(tmp_path / "set", rows, [])
    (directory / "Hands" / "link.jpg").symlink_to(store)
    (directory / "Hands" / "broken.jpg").symlink_to(tmp_path / "nowhere")
    (directory / "Hands" / "folder.jpg").mkdir()
    os.mkfifo(directory / "Hands" / "pipe.jpg")
    assert [Path(e.path).name for e in read_hands11k(directory).examples] == ["link.jpg"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\x.jpg", "sub/a.jpg", "..", "a\0.jpg"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    make_dataset(tmp_path, [row("1", "dorsal left", "a.jpg"), row("2", "dorsal left", name)], ["a.jpg"])
    with pytest.raises(DataError, match=r"HandInfo.csv, line 3: imageName must be the plain name") as caught:
        read_hands11k(tmp_path)
    assert printable(name) in str(caught.value)
    assert str(caught.value).isprintable()


def test_names_from_the_table_cannot_drive_the_terminal(tmp_path: Path) -> None:
    rows = [row("1", "dorsal left", "a.jpg"), row("\x1b[2J", "dorsal left", HOSTILE_NAME)]
    rows.append(row("1", "dorsal \x1b[31m", "b.jpg"))
    dataset = read_hands11k(make_dataset(tmp_path, rows, ["a.jpg", HOSTILE_NAME + "x.jpg"]))
    lines = (*dataset.notes, *dataset.problems)
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert r"new\nline \x1b[31mred\x1b[0m \u202egpj.jpg" in lines[0]


def test_one_name_for_two_people_is_refused(tmp_path: Path) -> None:
    make_dataset(tmp_path, [row("1", "dorsal left", "a.jpg"), row("2", "dorsal left", "a.jpg")], ["a.jpg"])
    with pytest.raises(DataError, match=r"imageName a.jpg names two different photos, in line 2 and line 3"):
        read_hands11k(tmp_path)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is empty. Expected a header with the columns id, aspectOfHand, imageName"),
        (b"\n\n", "is empty"),
        (HEADER.encode(), "has a header and no rows"),
        (b"id|aspectOfHand|imageName\n1|dorsal left|a.jpg\n", "lacks the columns id, aspectOfHand, imageName"),
        (b"id,imageName\n1,a.jpg\n", "lacks the column aspectOfHand. Received: id, imageName"),
        (b"id,id,aspectOfHand,imageName\n", "has the column 'id' twice"),
        (b"id,aspectOfHand,imageName\n1,dorsal left\n", r"line 2: expected 3 cells. Received: 2"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not a table of comma-separated text"),
        ("id,aspectOfHand,imageName\n".encode("utf-16-le"), "is not a table of comma-separated text"),
        (b"id,aspectOfHand,imageName\n1,dorsal left,a\0.jpg\n", "must be the plain name"),
        (b'id,aspectOfHand,imageName\n1,dorsal left,"' + b"x" * 200_000, "is not a table of comma-separated text"),
        (b"id,aspectOfHand,imageName\n1,dorsal left,b.jpg\n", "None of the 1 rows of .* has a usable photo"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[:24],
)  # fmt: skip
def test_a_wrong_table_is_one_clear_line(tmp_path: Path, contents: bytes, message: str) -> None:
    make_dataset(tmp_path, [], ["a.jpg"])
    (tmp_path / "HandInfo.csv").write_bytes(contents)
    with pytest.raises(DataError, match=message) as caught:
        read_hands11k(tmp_path)
    assert str(caught.value).isprintable()


def test_a_missing_folder_says_where_the_data_is_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"There is no folder .*nowhere. 11k Hands can be downloaded from https://sites.google"
    ):
        read_hands11k(tmp_path / "nowhere")
    with pytest.raises(
        DataError, match=r"There is no HandInfo.csv in .*expected layout: DIR/HandInfo.csv and DIR/Hands"
    ):
        read_hands11k(tmp_path)
    (tmp_path / "HandInfo.csv").write_text(HEADER)
    with pytest.raises(DataError, match=r"There is no folder Hands in"):
        read_hands11k(tmp_path)
    with pytest.raises(DataError, match=r"Expected a folder. Received the file"):
        read_hands11k(tmp_path / "HandInfo.csv")


def test_the_folder_above_or_below_is_suggested(small: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"Did you mean {small}\\?"):
        read_hands11k(small / "Hands")
    (tmp_path / "outer").mkdir()
    make_dataset(tmp_path / "outer" / "11k", [], [])
    with pytest.raises(DataError, match=f"Did you mean {tmp_path}/outer/11k\\?"):
        read_hands11k(tmp_path / "outer")


def test_people_with_one_view_are_said_and_left_out(small: Path) -> None:
    def example(identity: str, view: str) -> Example:
        return Example(f"/{identity}-{view}", identity, view)

    examples = [example(i, v) for i in ("a", "b") for v in ("dorsal", "palmar")] + [example("c", "dorsal")]
    kept, note = require_both_views(examples, "Cross-view training")
    assert kept == examples[:4]
    assert note == "Cross-view training: left out 1 person (c) with one view only."
    assert require_both_views(examples[:4], "Training")[1] == ""
    with pytest.raises(DataError, match=r"Training needs at least 2 people .* Received: 1 such person among 2"):
        require_both_views(examples[2:], "Training")


def test_readers_by_name(small: Path) -> None:
    assert read_dataset("hands11k", small) == read_hands11k(small)
    assert read_dataset("synthetic", small).examples == read_hands11k(small).examples
    with pytest.raises(ConfigError, match=r"Unknown reader 'hands11'. Did you mean 'hands11k'"):
        read_dataset("hands11", small)


@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_refuses_a_missing_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere"):
        read_dataset(name, tmp_path / "nowhere")


def test_a_folder_without_a_table_is_told_of_the_reader_that_needs_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one folder for each person, give --reader folder"):
        read_hands11k(tmp_path)


def test_litter_among_the_photos_is_no_photo_without_a_row(tmp_path: Path) -> None:
    make_dataset(tmp_path, [row("1", "back left", "a.jpg")], ["a.jpg", "._a.jpg", ".thumb.jpg"])
    (tmp_path / "Hands" / "loop.jpg").symlink_to("loop.jpg")
    dataset = read_hands11k(tmp_path)
    assert [(e.view, e.side) for e in dataset.examples] == [("dorsal", "left")]
    assert dataset.problems == (
        "2 folders or files (._a.jpg, .thumb.jpg), hidden or the system's, passed over.",
        "1 link (loop.jpg) to nothing or to itself, passed over.",
    )


def test_columns_are_known_in_any_case_and_by_their_common_names(tmp_path: Path) -> None:
    make_dataset(
        tmp_path, ["1;Dorsal Left;a.jpg;female", "NaN;palmar left;b.jpg;male"], ["a.jpg"], "Person;View;File;GENDER"
    )
    dataset = read_hands11k(tmp_path)
    assert [(e.identity, e.view, e.attributes) for e in dataset.examples] == [
        ("0000001", "dorsal", {"gender": "female"})
    ]
    assert "1 row (line 3) without an id or imageName, left out." in dataset.problems
