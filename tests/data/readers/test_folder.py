import os
import string
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handnet.cli._data import find_photos
from handnet.config.split import Split, write_split
from handnet.data.dataset import normalise_identity
from handnet.data.example import Example
from handnet.data.readers.folder import read_folder, read_places
from handnet.data.splits.by_photo import name_photo
from handnet.errors import DataError
from handnet.evaluation.report.projector import format_labels
from handnet.metrics.embedded import label_embeddings, load_part
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
        "2 folders or files (.git, a/.hidden.jpg), hidden or the system's, passed over.",
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
        "1 photo (q/stray.jpg) without a row in labels.csv, left out.",
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


def labels_of(directory: Path) -> list[tuple[str, str, str, str]]:
    """Return (path, person, view, side) of each photo."""
    return [(os.path.relpath(e.path, directory), e.identity, e.view, e.side) for e in read_folder(directory).examples]


def test_views_and_sides_are_read_from_folders(tmp_path: Path) -> None:
    make_tree(tmp_path, "ann/Dorsal/1.jpg", "ann/palm/2.jpg", "bob/left hand/back/3.jpg", "bob/RightPalm/4.jpg")
    make_tree(tmp_path, "bob/unsorted/5.jpg", "bob/6.jpg")
    assert labels_of(tmp_path) == [
        ("ann/Dorsal/1.jpg", "ann", "dorsal", ""),
        ("ann/palm/2.jpg", "ann", "palmar", ""),
        ("bob/RightPalm/4.jpg", "bob", "palmar", "right"),
        ("bob/left hand/back/3.jpg", "bob", "dorsal", "left"),
    ]
    dataset = read_folder(tmp_path)
    assert dataset.notes == ("views and sides are read from the names of folders.",)
    assert dataset.problems == (
        "2 photos (bob/6.jpg, bob/unsorted/5.jpg) without a view, dorsal or palmar, left out: only photos with one can be "
        "matched.",
    )


def test_outermost_folders_may_be_views_or_parts_of_a_split(tmp_path: Path) -> None:
    make_tree(tmp_path / "views", "dorsal/ann/1.jpg", "palmar/ann/2.jpg")
    assert labels_of(tmp_path / "views") == [
        ("dorsal/ann/1.jpg", "ann", "dorsal", ""),
        ("palmar/ann/2.jpg", "ann", "palmar", ""),
    ]
    make_tree(
        tmp_path / "parts", "train/ann/1.jpg", "train/bob/dorsal/2.jpg", "Validation/eve/3.jpg", "train/stray.jpg"
    )
    dataset = read_folder(tmp_path / "parts")
    assert {(row.identity, row.attributes["split"]) for row in dataset.rows} == {
        ("ann", "train"),
        ("bob", "train"),
        ("eve", "val"),
    }
    assert dataset.notes[0].startswith(
        "the folders Validation, train are parts of a split, not people. To use them: data.sp"
    )
    assert "1 photo (train/stray.jpg) in no person's folder, left out." in dataset.problems
    make_tree(tmp_path / "no-person", "dorsal/1.jpg", "palmar/2.jpg")
    assert read_folder(tmp_path / "no-person").identities == ["dorsal", "palmar"]


def test_photos_without_views_are_said_to_be_so(tmp_path: Path) -> None:
    make_tree(tmp_path, "ann/1.jpg", "bob/2.jpg")
    assert read_folder(tmp_path).notes == (
        "the photos have no views (no labels.csv, and no folders named dorsal and palmar): the photos of a person are matched "
        "with one another.",
    )
    (tmp_path / "persons.xlsx").write_bytes(b"PK")
    assert "persons.xlsx is not read: the table of labels must be called labels.csv." in read_folder(tmp_path).notes


def test_a_blank_view_among_others_is_found_and_named(tmp_path: Path) -> None:
    make_tree(tmp_path, "a/1.jpg", "a/2.jpg", "a/3.jpg", "a/4.jpg")
    table = "File,Person,Aspect\na/1.jpg,Ann,dorsal left\na/2.jpg,Ann,back\na/3.jpg,nan,palm\na/4.jpg,Ann,NaN\n"
    (tmp_path / "Labels.CSV").write_text(table)
    assert labels_of(tmp_path) == [("a/1.jpg", "Ann", "dorsal", "left"), ("a/2.jpg", "Ann", "dorsal", "")]
    assert read_folder(tmp_path).problems == (
        "1 row (line 4) of Labels.CSV without an identity, left out.",
        "1 photo (a/4.jpg) without a view, dorsal or palmar, left out: only photos with one can be matched.",
    )


def test_a_table_without_views_takes_them_from_the_folders(tmp_path: Path) -> None:
    make_tree(tmp_path, "a/dorsal/1.jpg", "a/palmar/2.jpg")
    (tmp_path / "labels.csv").write_text("path,age\na/dorsal/1.jpg,30\na/palmar/2.jpg,30\n")
    assert [(e.identity, e.view, e.attributes) for e in read_folder(tmp_path).examples] == [
        ("a", "dorsal", {"age": "30"}),
        ("a", "palmar", {"age": "30"}),
    ]


def test_one_person_has_one_spelling(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "José")
    make_tree(tmp_path, f"{decomposed}/1.jpg", "José/2.jpg", "7/3.jpg")
    assert read_folder(tmp_path).identities == ["0000007", "José"]
    (tmp_path / "labels.csv").write_text(f"path,identity\nJosé/1.jpg,José\nJosé/2.jpg,{decomposed}\n7/3.jpg,7.0\n")
    dataset = read_folder(tmp_path)
    assert (dataset.identities, len(dataset.examples)) == (["José", "0000007"], 3)


def test_what_systems_leave_behind_is_neither_person_nor_photo(tmp_path: Path) -> None:
    make_tree(tmp_path, "ann/1.jpg", "ann/@eaDir/1.jpg", "#recycle/x.jpg", "__MACOSX/ann/._1.jpg", "ann/._1.jpg")
    make_tree(tmp_path, "ann/.ipynb_checkpoints/1.jpg")
    write_bytes(tmp_path / "ann" / ".DS_Store", b"")
    write_bytes(tmp_path / "ann" / "Thumbs.db", b"")
    dataset = read_folder(tmp_path)
    assert [os.path.relpath(e.path, tmp_path) for e in dataset.examples] == ["ann/1.jpg"]
    assert dataset.problems == (
        "5 folders or files (#recycle, __MACOSX, ann/._1.jpg, …), hidden or the system's, passed over.",
    )
    assert [e.path for e in find_photos((tmp_path,), "")] == [e.path for e in dataset.examples]


def test_a_link_to_itself_is_passed_over_and_said(tmp_path: Path) -> None:
    make_tree(tmp_path / "set", "ann/1.jpg")
    (tmp_path / "set" / "loop").symlink_to("loop")
    (tmp_path / "set" / "ann" / "2.jpg").symlink_to("2.jpg")
    (tmp_path / "set" / "ann" / "3.jpg").symlink_to("nowhere.jpg")
    dataset = read_folder(tmp_path / "set")
    assert len(dataset.examples) == 1
    assert dataset.problems == ("3 links (ann/2.jpg, ann/3.jpg, loop) to nothing or to itself, passed over.",)


def test_embed_and_the_reader_walk_alike(tmp_path: Path) -> None:
    make_tree(tmp_path, "store/x.heic", "set/a/1.jpg", "set/a/deep/2.webp")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "store")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    expected = ["a/1.jpg", "a/deep/2.webp", "b/x.heic"]
    assert [os.path.relpath(e.path, tmp_path / "set") for e in find_photos((tmp_path / "set",), "")] == expected
    assert [os.path.relpath(e.path, tmp_path / "set") for e in read_folder(tmp_path / "set").examples] == expected


def test_names_that_are_not_utf8_are_read_and_written_escaped(tmp_path: Path) -> None:
    make_tree(tmp_path, "ann/1.jpg")
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller")
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    write_jpeg(Path(folder) / "1.jpg")
    dataset = read_folder(tmp_path)
    assert dataset.identities == [r"M\xfcller", "ann"]
    assert dataset.problems == ()
    photo = dataset.examples[0].path
    assert Path(photo).read_bytes().startswith(b"\xff\xd8")
    assert name_photo(dataset, photo) == r"M\xfcller/1.jpg"
    write_split(Split((name_photo(dataset, photo),), ("ann/1.jpg",), (), by="photo"), tmp_path / "split.csv")
    assert r"M\xfcller/1.jpg,train" in (tmp_path / "split.csv").read_text(encoding="utf-8")
    part = label_embeddings(np.eye(2, dtype=np.float32), dataset.examples)
    part.save(tmp_path / "vectors.npz")
    assert load_part(tmp_path / "vectors.npz").paths[0] == photo, "so that it can be opened"
    part.save(tmp_path / "vectors.parquet")
    assert load_part(tmp_path / "vectors.parquet").paths[0].endswith(r"/M\xfcller/1.jpg")
    assert r"M\xfcller" in format_labels(part, ["test", "test"])
    with pytest.raises(DataError, match=r"M\\udcfcller is not UTF-8. Rename the folder"):
        read_folder(Path(folder))


WORDS = st.sampled_from(
    ["train", "val", "dorsal", "palmar", "left", "R", "ann", "bob", "1", "1.0", "Back of hand", "x y"]
)
NAMES = st.text(string.ascii_letters + string.digits + " .äé\u0301#@_-", min_size=1, max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(WORDS | NAMES, max_size=5).map(tuple)))
def test_any_folders_are_read_to_labels_that_are_settled(folders: list[tuple[str, ...]]) -> None:
    places = read_places(folders)
    assert places.keys() == set(folders)
    for names, place in places.items():
        assert place.view in ("dorsal", "palmar", "")
        assert place.side in ("left", "right", "")
        assert place.part in ("train", "val", "test", "unused", "")
        assert place.identity == "" or place.identity in map(normalise_identity, names)
    # Whatever their order, and however often.
    assert read_places([*reversed(folders), *folders]) == places


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["", "dorsal", "palmar"])), min_size=1, max_size=6))
def test_every_photo_of_any_tree_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, photos: list[tuple[str, str, str]]
) -> None:
    directory = tmp_path_factory.mktemp("tree")
    for person, name, view in photos:
        if person.strip(" .") == person and name.strip(" .") == name:
            make_tree(directory, "/".join(part for part in (f"p{person}", view, f"n{name}.jpg") if part))
    written = sum(len(files) for _, _, files in os.walk(directory))
    try:
        dataset = read_folder(directory)
    except DataError:
        assert written == 0
        return
    named = [problem for problem in dataset.problems if "without a view" in problem]
    left_out = sum(int(problem.split()[0]) for problem in named)
    assert len(dataset.examples) + left_out == len(dataset.rows) == written
