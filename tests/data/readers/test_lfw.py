import re
from pathlib import Path

import pytest

from handnet.data.dataset import PhotoPair
from handnet.data.readers.lfw import FOLDS_FILE, TEST_FILE, TRAIN_FILE, read_lfw, read_lfw_folds
from handnet.errors import DataError
from tests.photos import find_real_data, write_bytes

TRAIN = "1\nAnn_A\t1\t2\nAnn_A\t2\tBob\t1\n"
TEST = "1\nCy\t1\t3\nCy\t1\tDi\t1\n"


def write_photos(folder: Path, *names: str) -> Path:
    """Write empty files: readers decode nothing."""
    for name in names:
        person = name.rpartition("_")[0]
        (folder / person).mkdir(parents=True, exist_ok=True)
        write_bytes(folder / person / f"{name}.jpg", b"")
    return folder


def write_lfw(folder: Path) -> Path:
    write_photos(
        folder, "Ann_A_0001", "Ann_A_0002", "Ann_A_0007", "Bob_0001", "Cy_0001", "Cy_0003", "Di_0001", "Ed_0001"
    )
    (folder / TRAIN_FILE).write_text(TRAIN)
    (folder / TEST_FILE).write_text(TEST)
    return folder


def test_view_1_gives_both_parts(tmp_path: Path) -> None:
    dataset = read_lfw(write_lfw(tmp_path))
    assert [Path(e.path).stem for e in dataset.examples] == [
        *("Ann_A_0001", "Ann_A_0002", "Ann_A_0007", "Bob_0001", "Cy_0001", "Cy_0003", "Di_0001"),
    ], "all photos of the people whom pairs name, and nobody else's"
    assert {(e.identity, e.view, e.side) for e in dataset.examples} == {
        (p, "", "") for p in ("Ann_A", "Bob", "Cy", "Di")
    }
    ann, bob = (str(tmp_path / name) for name in ("Ann_A/Ann_A_0002.jpg", "Bob/Bob_0001.jpg"))
    assert dataset.pairs[:2] == (
        PhotoPair(ann.replace("2.jpg", "1.jpg"), ann, True, "train"),
        PhotoPair(ann, bob, False, "train"),
    )
    assert [(pair.same, pair.group) for pair in dataset.pairs[2:]] == [(True, "test"), (False, "test")]
    assert dataset.problems == ()


def test_people_may_lie_in_the_archives_folder(tmp_path: Path) -> None:
    write_photos(tmp_path / "lfw-deepfunneled", "Ann_A_0001", "Ann_A_0002", "Bob_0001")
    (tmp_path / TRAIN_FILE).write_text(TRAIN)
    assert len(read_lfw(tmp_path).pairs) == 2


def test_missing_photos_cost_their_pairs(tmp_path: Path) -> None:
    write_lfw(tmp_path)
    (tmp_path / "Bob" / "Bob_0001.jpg").unlink()
    (tmp_path / "Cy" / "Cy_0003.jpg").unlink()
    dataset = read_lfw(tmp_path)
    assert [pair.same for pair in dataset.pairs] == [True, False]
    assert dataset.problems == (
        "2 photos that the pairs name are missing (Bob/Bob_0001.jpg, Cy/Cy_0003.jpg); 2 of 4 pairs left out.",
        "1 person (Bob) without a photo.",
    )
    for photo in tmp_path.glob("*/*.jpg"):
        photo.unlink()
    with pytest.raises(DataError, match=r"None of the 4 pairs has its two photos in .*LFW can be downloaded from"):
        read_lfw(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ann_A\t1", r"line 2: expected a pair of one person, as NAME 1 2. Received: 'Ann_A\\t1'"),
        ("Ann_A\t1\tBob\t1", "line 2: expected a pair of one person"),
        ("Ann_A\t1\tx", "line 2: expected a pair of one person"),
        ("Ann_A\t1\t-2", "line 2: expected a pair of one person"),
        ("Ann_A\t1\t99999", "line 2: expected a pair of one person"),
        ("Ann_A\t1\t1", "line 2: expected two photos of one person"),
        ("../Ann_A\t1\t2", "line 2: a name must be that of a folder. Received: '../Ann_A'"),
        ("..\t1\t2", "line 2: a name must be that of a folder"),
        ("A\x1b[31m\t1", r"Received: 'A\\x1b\[31m"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    write_lfw(tmp_path)
    (tmp_path / TRAIN_FILE).write_text(TRAIN.replace("Ann_A\t1\t2", line))
    with pytest.raises(
        DataError, match=rf"{re.escape(TRAIN_FILE)}, .*{message}" if message.startswith("line") else message
    ):
        read_lfw(tmp_path)


def test_a_pair_of_two_people_must_be_of_two(tmp_path: Path) -> None:
    write_lfw(tmp_path)
    for line in ("Ann_A\t1\tAnn_A\t2", "Ann_A\t1\t2"):
        (tmp_path / TRAIN_FILE).write_text(f"1\nAnn_A\t1\t2\n{line}\n")
        with pytest.raises(DataError, match=r"line 3: expected .* of two people"):
            read_lfw(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the number of pairs, or of folds and pairs. Received: 'an empty file'"),
        ("many\n", "line 1: expected the number of pairs"),
        ("0\n", "line 1: expected the number of pairs"),
        ("2\n" + TRAIN[2:], r"line 1 announces 4 pairs \(2 of one and 2 of two people\). Received: 2 lines"),
        ("2 1\n" + TRAIN[2:], "announces 4 pairs .* in each of 2 folds"),
    ],
)
def test_the_header_must_fit(tmp_path: Path, text: str, message: str) -> None:
    write_lfw(tmp_path)
    (tmp_path / TRAIN_FILE).write_text(text)
    with pytest.raises(DataError, match=message):
        read_lfw(tmp_path)


def test_a_person_in_both_parts_is_refused(tmp_path: Path) -> None:
    write_lfw(tmp_path)
    (tmp_path / TEST_FILE).write_text("1\nCy\t1\t3\nCy\t1\tBob\t1\n")
    message = "pairsDevTest.txt, line 3: Bob is in pairsDevTrain.txt, line 3, too: in the parts train and test"
    with pytest.raises(DataError, match=message):
        read_lfw(tmp_path)


def test_view_2_has_folds_of_people(tmp_path: Path) -> None:
    write_lfw(tmp_path)
    (tmp_path / FOLDS_FILE).write_text("2\t1\n" + TRAIN[2:] + TEST[2:])
    assert [(pair.same, pair.group) for pair in read_lfw_folds(tmp_path).pairs] == [
        *((True, "1"), (False, "1"), (True, "2"), (False, "2")),
    ]
    (tmp_path / FOLDS_FILE).write_text("2\t1\n" + TRAIN[2:] + "Cy\t1\t3\nCy\t1\tBob\t1\n")
    with pytest.raises(DataError, match="line 5: Bob is in pairs.txt, line 3, too: in the parts 1 and 2"):
        read_lfw_folds(tmp_path)


def test_without_pairs_files_it_is_said_where_they_are_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="There is neither pairsDevTrain.txt nor pairsDevTest.txt .*can be downloaded from"
    ):
        read_lfw(tmp_path)
    with pytest.raises(DataError, match="There is no pairs.txt in .*can be downloaded from"):
        read_lfw_folds(tmp_path)
    write_bytes(tmp_path / TRAIN_FILE, b"\xff\xfe1")
    with pytest.raises(DataError, match="pairsDevTrain.txt cannot be read"):
        read_lfw(tmp_path)


def test_real_pairs() -> None:
    dataset = read_lfw(find_real_data("lfw"))
    assert (len(dataset.examples), len(dataset.identities), dataset.problems) == (3_443, 2_132, ())
    assert [sum(pair.same is same for pair in dataset.pairs) for same in (True, False)] == [1_100, 1_100]
