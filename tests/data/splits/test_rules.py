"""The rules by name."""

import pytest

from handnet.config.split import Split
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.splits.rules import DATASET_SPLITS, SPLITS, make_split, select_part
from handnet.errors import ConfigError, DataError


def make_dataset(*people: str) -> DataSet:
    examples = [Example(f"/d/{person}-{k}.jpg", person) for person in people for k in range(2)]
    return DataSet("folder", "/d", examples, examples)


def test_no_name_means_two_rules_and_an_unknown_one_is_named() -> None:
    assert not SPLITS.keys() & DATASET_SPLITS.keys()
    with pytest.raises(ConfigError, match=r"Unknown split 'fraction'. Did you mean 'fractions'\?"):
        make_split("fraction", make_dataset("a"))


def test_parts_are_selected_in_the_order_of_the_data_by_person_or_by_photo() -> None:
    dataset = make_dataset("b", "a", "c")
    by_person = Split(("a", "b"), ("c",), ())
    assert [e.path for e in select_part(dataset, by_person, "train")] == [
        "/d/b-0.jpg",
        "/d/b-1.jpg",
        "/d/a-0.jpg",
        "/d/a-1.jpg",
    ]
    by_photo = Split(("a-0.jpg",), ("b-1.jpg", "c-0.jpg"), (), by="photo")
    assert [e.path for e in select_part(dataset, by_photo, "val")] == ["/d/b-1.jpg", "/d/c-0.jpg"]


def test_an_empty_part_and_one_without_photos_are_said() -> None:
    dataset = make_dataset("a")
    with pytest.raises(DataError, match="The test part of this split is empty"):
        select_part(dataset, Split(("a",), (), ()), "test")
    with pytest.raises(DataError, match=r"empty\. Give --part val, or another split\."):
        select_part(dataset, Split(("a",), ("b",), ()), "test")
    with pytest.raises(DataError, match="The val part has 1 people and 0 rows in the table"):
        select_part(dataset, Split(("a",), ("x",), ()), "val")
