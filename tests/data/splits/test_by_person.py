import random
from collections import Counter
from pathlib import Path

import pytest

from handnet.config.split import PARTS, Split, write_split
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.readers.hands11k import read_hands11k
from handnet.data.splits.rules import SPLITS, make_split, select_part
from handnet.errors import ConfigError, DataError, DiskError
from tests.photos import find_real_data

PEOPLE = [f"p{number:02d}" for number in range(20)]


def make_dataset(with_photos: list[str], without_photos: list[str]) -> DataSet:
    rows = [Example(f"/{identity}", identity, "dorsal") for identity in with_photos + without_photos]
    return DataSet("test", "/data", rows[: len(with_photos)], rows)


def test_the_published_split_of_the_complete_table() -> None:
    dataset = read_hands11k(find_real_data("hands11k-mini"))
    split = make_split("hands-cross-view", dataset)
    assert [len(split.people(part)) for part in PARTS] == [128, 20, 41]
    views = Counter(row.view for row in dataset.rows if row.identity in split.test)
    assert views == {"dorsal": 1_372, "palmar": 1_237}
    assert split.note == ""
    # As the published code does it, on the global generator.
    people = list(dataset.all_identities)
    random.seed(42)
    random.shuffle(people)
    assert (*split.train, *split.val, *split.test) == tuple(people)
    assert len(select_part(dataset, split, "train")) == 691
    assert len(select_part(dataset, split, "val")) == 165
    with pytest.raises(
        DataError, match=r"test part has 41 people and 2,609 rows in the table, and none of their photos"
    ):
        select_part(dataset, split, "test")


def test_the_published_split_is_of_the_whole_table_and_leaves_the_global_generator_alone() -> None:
    state = random.getstate()
    dataset = make_dataset(PEOPLE[:15], PEOPLE[15:])
    split = make_split("hands-cross-view", dataset)
    assert sorted((*split.train, *split.val, *split.test)) == PEOPLE
    assert [len(split.people(part)) for part in PARTS] == [13, 2, 5]
    assert random.getstate() == state
    assert "complete HandInfo.csv with its 189 people, and these data have 20" in split.note


def test_fractions_deal_out_the_people_with_photos() -> None:
    dataset = make_dataset(PEOPLE[:10], PEOPLE[10:])
    split = make_split("fractions", dataset, {"train": 0.6, "val": 0.1, "test": 0.3, "seed": 3})
    assert [len(split.people(part)) for part in PARTS] == [6, 1, 3]
    assert sorted((*split.train, *split.val, *split.test)) == PEOPLE[:10]
    assert split == make_split("fractions", dataset, {"train": 0.6, "val": 0.1, "test": 0.3, "seed": 3})
    assert split != make_split("fractions", dataset, {"train": 0.6, "val": 0.1, "test": 0.3, "seed": 4})


@pytest.mark.parametrize(
    ("num_people", "fractions", "expected"),
    [
        (20, (0.8, 0.2, 0.0), [16, 4, 0]),
        (189, (0.68, 0.11, 0.21), [128, 21, 40]),  # 128.52, 20.79, 39.69: the two largest remainders are rounded up
        (7, (1 / 3, 1 / 3, 1 / 3), [3, 2, 2]),
        (3, (0.98, 0.01, 0.01), [1, 1, 1]),
        (10, (0.7, 0.3, 0.0), [7, 3, 0]),
        (2, (0.999, 0.001, 0.0), [1, 1, 0]),
    ],
)
def test_fractions_are_rounded_to_people(
    num_people: int, fractions: tuple[float, float, float], expected: list[int]
) -> None:
    people = [str(number) for number in range(num_people)]
    split = SPLITS["fractions"](people, dict(zip(PARTS, fractions, strict=True)))
    assert [len(split.people(part)) for part in PARTS] == expected


@pytest.mark.parametrize("num_folds", [2, 3, 7, 20])
def test_every_person_is_tested_in_exactly_one_fold(num_folds: int) -> None:
    splits = [SPLITS["k-fold"](PEOPLE, {"folds": num_folds, "fold": fold, "val": 0.2}) for fold in range(num_folds)]
    assert sorted(person for split in splits for person in split.test) == PEOPLE
    sizes = [len(split.test) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    for split in splits:
        assert sorted((*split.train, *split.val, *split.test)) == PEOPLE
        assert len(split.val) == round(0.2 * (20 - len(split.test)))
    assert len({split.val for split in splits}) == num_folds


def test_k_fold_without_a_validation_part() -> None:
    split = SPLITS["k-fold"](PEOPLE, {"folds": 5, "fold": 4, "val": 0.0})
    assert [len(split.people(part)) for part in PARTS] == [16, 0, 4]


def test_a_file_written_is_the_split_read(tmp_path: Path) -> None:
    split = Split(("0000559", "a,b"), ('c"d',), ("line\nbreak",))
    write_split(split, tmp_path / "split.csv")
    identities = ["line\nbreak", 'c"d', "a,b", "0000559"]
    assert SPLITS["file"](identities, {"path": str(tmp_path / "split.csv")}) == split
    assert [path.name for path in tmp_path.iterdir()] == ["split.csv"]


def test_a_hand_written_file(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    # Of a larger data set (42), through a spreadsheet (559), with somebody left out.
    path.write_bytes("\ufeffidentity,part\r\n559,val\r\n42,test\r\n0000001, train\r\n\r\n2,unused\r\n".encode())
    split = SPLITS["file"](["0000001", "0000002", "0000559"], {"path": str(path)})
    assert split == Split(("0000001",), ("0000559",), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty. Expected a header with the columns identity, part"),
        ("who,part\n", "lacks the column identity. Received: who, part"),
        ("identity,part\na,train\n", r"lacks 1 person \(b\) of the data set"),
        ("identity,part\na,train\nb,train,x\n", "line 3: expected 2 cells. Received: 3"),
        ("identity,part\na,train\nb,trian\n", "line 3: Unknown part 'trian'. Did you mean 'train'"),
        ("identity,part\na,train\nb,val\na,test\n", "line 4: a is there twice"),
    ],
)
def test_a_wrong_split_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        SPLITS["file"](["a", "b"], {"path": str(path)})


def test_split_files_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read .*none.csv: No such file"):
        SPLITS["file"](PEOPLE, {"path": str(tmp_path / "none.csv")})
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match=r"Cannot write .*split.csv"):
        write_split(Split(("a",), (), ()), tmp_path / "file" / "split.csv")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"is not a table of comma-separated text"):
        SPLITS["file"](PEOPLE, {"path": str(tmp_path / "binary")})


@pytest.mark.parametrize(("train", "val", "test"), [("ab", "b", ""), ("a", "b", "a"), ("aa", "", "")])
def test_a_person_in_two_parts_is_refused(train: str, val: str, test: str) -> None:
    with pytest.raises(DataError, match=r"A split must hold each person once. Received: [ab] in"):
        Split(tuple(train), tuple(val), tuple(test))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hands-cross-view", {"seed": 1}, 'Split "hands-cross-view" has no options. Received: seed'),
        ("fractions", {"trian": 0.5}, "Unknown option of split \"fractions\" 'trian'. Did you mean 'train'"),
        ("fractions", {"train": 0.5}, "must sum to 1. Received: 0.5, 0.2, 0"),
        ("fractions", {"train": 1.2, "val": -0.2}, "train must be a number from 0 to 1. Received: 1.2"),
        ("fractions", {"train": float("nan")}, "train must be a number from 0 to 1. Received: nan"),
        ("fractions", {"train": "all"}, "train must be a number from 0 to 1. Received: 'all'"),
        ("fractions", {"seed": 1.5}, "seed must be a whole number, at least 0. Received: 1.5"),
        ("k-fold", {"folds": 1}, "folds must be a whole number, at least 2. Received: 1"),
        ("k-fold", {"fold": 5}, "fold must be a whole number from 0 to 4. Received: 5"),
        ("k-fold", {"fold": True}, "fold must be a whole number from 0 to 4. Received: True"),
        ("k-fold", {"val": 1.0}, "val must be below 1"),
        ("file", {}, 'Split "file" needs `path`'),
    ],
)
def test_wrong_options_are_one_clear_line(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_split(name, make_dataset(PEOPLE, []), options)


@pytest.mark.parametrize(
    ("name", "options", "num_people", "message"),
    [
        ("hands-cross-view", {}, 9, "needs at least 10 people. Received: 9"),
        ("fractions", {}, 1, "needs at least 2 people. Received: 1"),
        ("fractions", {"train": 0.5, "val": 0.2, "test": 0.3}, 2, "needs at least 3 people. Received: 2"),
        ("k-fold", {"folds": 5}, 4, "needs at least 5 people. Received: 4"),
        ("k-fold", {"folds": 2}, 3, "3 people in 2 folds leave"),
    ],
)
def test_too_few_people(name: str, options: dict[str, object], num_people: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_split(name, make_dataset(PEOPLE[:num_people], []), {"fold": 1, **options} if name == "k-fold" else options)


def test_unknown_names_list_the_valid_ones() -> None:
    dataset = make_dataset(PEOPLE, [])
    with pytest.raises(ConfigError, match=r"Unknown split 'kfold'. Did you mean 'k-fold'"):
        make_split("kfold", dataset)
    with pytest.raises(ConfigError, match=r"Unknown part 'dev'. .*Valid: test, train, val"):
        select_part(dataset, make_split("fractions", dataset), "dev")
    with pytest.raises(DataError, match=r"The test part of this split is empty"):
        select_part(dataset, make_split("fractions", dataset), "test")
