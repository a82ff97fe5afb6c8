import os
from pathlib import Path

import pytest

from handnet.data.example import Example
from handnet.data.readers.folder import read_folder
from handnet.errors import DataError
from tests.photos import HOSTILE_NAME, find_real_data, write_bytes, write_jpeg


def make_tree(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        write_jpeg(directory / name)
    return directory


def test_a_folder_is_a_person(tmp_path: Path) -> None:
    make_tree(tmp_path, "s2/1.jpg", "s2/deep/er/0.JPEG", "s10/b.png", "s10/a.bmp")
    dataset = read_folder(tmp_path)
    assert [(os.path.relpath(e.path, tmp_path), e.identity, e.view, e.side) for e in dataset.examples] == [
        ("s10/a.bmp", "s10", "", ""),
        ("s10/b.png", "s10", "", ""),
        ("s2/1.jpg", "s2", "", ""),
        ("s2/deep/er/0.JPEG", "s2", "", ""),
    ]
    assert dataset.rows == dataset.examples
    assert dataset.problems == ()


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    make_tree(tmp_path, "a/1.jpg", "loose.jpg", ".git/x.jpg", "a/.hidden.jpg", HOSTILE_NAME)
    (tmp_path / "empty").mkdir()
    write_bytes(tmp_path / "a" / "notes.txt", b"")
    (tmp_path / "faces").mkdir()
    write_bytes(tmp_path / "faces" / "1.raw", b"raw")
    dataset = read_folder(tmp_path)
    assert [e.identity for e in dataset.examples] == ["a"]
    assert dataset.problems == (
        r"2 photos (loose.jpg, new\nline \x1b[31mred\x1b[0m \u202egpj.jpg) in no person's folder, left out.",
        "2 folders (empty, faces) without a photo.",
        "2 files (a/notes.txt, faces/1.raw) of another kind than jpg, jpeg, png, gif, bmp, "
        "webp, tif, tiff, heic, heif, avif, pgm, ppm, left out.",
    )


def test_links_are_followed_without_end(tmp_path: Path) -> None:
    make_tree(tmp_path, "store/x.jpg", "set/a/1.jpg")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "store")
    (tmp_path / "set" / "a" / "loop").symlink_to(tmp_path / "set" / "a")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    dataset = read_folder(tmp_path / "set")
    assert [os.path.relpath(e.path, tmp_path / "set") for e in dataset.examples] == ["a/1.jpg", "b/x.jpg"]


def test_a_table_gives_labels_and_order(tmp_path: Path) -> None:
    make_tree(tmp_path, "p/1.jpg", "p/2.jpg", "top.jpg", "q/stray.jpg")
    (tmp_path / "labels.csv").write_text(
        "identity,path,view,side,split\nsomebody,top.jpg,Palmar,,test\nsomebody,p/2.jpg,dorsal,left,test\n"
        "else,p/gone.jpg,,right,train\n ,p/1.jpg,,,\n"
    )
    dataset = read_folder(tmp_path)
    assert dataset.examples == [
        Example(str(tmp_path / "top.jpg"), "somebody", "palmar", "", {"split": "test"}),
        Example(str(tmp_path / "p/2.jpg"), "somebody", "dorsal", "left", {"split": "test"}),
    ]
    assert dataset.all_identities == ["somebody", "else"]
    assert dataset.problems == (
        "1 row (line 5) of labels.csv without an identity, left out.",
        "1 of 3 rows have no file (p/gone.jpg).",
        "2 photos (p/1.jpg, q/stray.jpg) without a row in labels.csv, left out.",
    )


def test_a_table_may_leave_the_identity_to_the_folder(tmp_path: Path) -> None:
    make_tree(tmp_path, "p/1.jpg", "q/r/2.jpg")
    (tmp_path / "labels.csv").write_text("path,side\np/1.jpg,left\n./q/r/2.jpg,\n")
    assert [(e.identity, e.side) for e in read_folder(tmp_path).examples] == [("p", "left"), ("q", "")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("../outside.jpg,", r"line 3: path must be relative, .* Received: '../outside.jpg'"),
        ("/etc/passwd,", "line 3: path must be relative"),
        ("a\\1.jpg,", "line 3: path must be relative"),
        (",left", "line 3: path must be relative"),
        ("a/1.jpg,", "line 3: a/1.jpg is in line 2 too"),
        ("a/2.jpg,lift", "line 3: Unknown side 'lift'. Did you mean 'left'"),
        ("a/2.jpg", "line 3: expected 2 cells. Received: 1"),
    ],
)
def test_a_wrong_row_is_one_clear_line(tmp_path: Path, row: str, message: str) -> None:
    make_tree(tmp_path, "a/1.jpg")
    (tmp_path / "labels.csv").write_text(f"path,side\na/1.jpg,left\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_folder(tmp_path)


def test_a_folder_without_photos(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no folder .*Expected layout: DIR/PERSON/photo.jpg"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"There is no photo to use in .*Expected layout"):
        read_folder(tmp_path)
    write_jpeg(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"1 photo \(a.jpg\) in no person's folder, left out. Expected layout"):
        read_folder(tmp_path)


def test_real_classes() -> None:
    dataset = read_folder(find_real_data("tiny-imagenet-200") / "train")
    assert (len(dataset.identities), len(dataset.examples)) == (40, 2_400)
