from pathlib import Path

import pytest

from handnet.config.run_folder import Run, read_run_split
from handnet.config.settings import Config
from handnet.config.split import write_split
from handnet.data.dataset import DataSet, PhotoPair, halve_views, people_to_match, require_both_views
from handnet.data.example import Example
from handnet.data.readers.lfw import read_lfw
from handnet.data.splits.by_photo import find_clusters, split_column, split_pairs, split_photos
from handnet.data.splits.rules import make_split, select_part
from handnet.errors import ConfigError, DataError
from tests.photos import find_real_data


def make_dataset(num_people: int = 40, photos: int = 3, groups: tuple[str, ...] = ("train",)) -> DataSet:
    """Make people p0, p1, …; each with a pair of their own, and one with their neighbour within the same twenty-four pairs."""
    examples = [Example(f"/data/p{p}/{k}.jpg", f"p{p}") for p in range(num_people) for k in range(photos)]
    pairs = []
    for p in range(num_people):
        group = groups[p * len(groups) // num_people]
        pairs.append(PhotoPair(f"/data/p{p}/0.jpg", f"/data/p{p}/1.jpg", True, group))
        if p % 2:
            pairs.append(PhotoPair(f"/data/p{p}/0.jpg", f"/data/p{p - 1}/2.jpg", False, group))
    return DataSet("made", "/data", examples, examples, (), tuple(pairs))


def parts_of(dataset: DataSet, name: str, **options: object) -> dict[str, set[str]]:
    split = make_split(name, dataset, options)
    return {part: set(split.people(part)) for part in ("train", "val", "test")}


def test_no_pair_is_torn_apart() -> None:
    dataset = make_dataset()
    parts = parts_of(dataset, "pairs", val=0.2, test=0.3)
    assert sorted(person for people in parts.values() for person in people) == sorted(dataset.identities)
    assert {name: len(people) for name, people in parts.items()} == {"train": 20, "val": 8, "test": 12}
    person_of = {e.path: e.identity for e in dataset.examples}
    for pair in dataset.pairs:
        assert any({person_of[pair.first], person_of[pair.second]} <= people for people in parts.values())
    assert parts_of(dataset, "pairs", seed=1) != parts_of(dataset, "pairs", seed=2)
    assert parts_of(dataset, "pairs", seed=1) == parts_of(dataset, "pairs", seed=1)


@pytest.mark.parametrize("seed", range(4))
def test_a_large_cluster_trains(seed: int) -> None:
    # Twelve people in a chain of pairs, and four pairs of people who are in no other.
    names = [f"p{k}" for k in range(20)]
    examples = [Example(f"/data/{name}.jpg", name) for name in names]
    links = [(k, k + 1) for k in range(11)] + [(12, 13), (14, 15), (16, 17), (18, 19)]
    pairs = tuple(PhotoPair(f"/data/p{a}.jpg", f"/data/p{b}.jpg", False, "train") for a, b in links)
    parts = parts_of(DataSet("made", "/data", examples, examples, (), pairs), "pairs", seed=seed)
    assert set(names[:12]) <= parts["train"]
    # 15 pairs: at least 2.25 of them validate and at least 3 are tested, so far as there are other pairs.
    assert (len(parts["val"]), len(parts["test"])) == (6, 2)


def test_the_data_sets_own_test_people_stay_so() -> None:
    parts = parts_of(make_dataset(groups=("train", "test")), "pairs", val=0.2)
    assert parts["test"] == {f"p{p}" for p in range(20, 40)}
    assert len(parts["val"]) == 4


def test_folds() -> None:
    dataset = make_dataset(groups=tuple(str(k) for k in range(1, 6)))
    tested: set[str] = set()
    for fold in range(1, 6):
        parts = parts_of(dataset, "pairs", fold=fold)
        assert {len(parts["test"]), len(parts["val"])} == {8}
        assert not tested & parts["test"]
        tested |= parts["test"]
    assert len(tested) == 40
    with pytest.raises(DataError, match="there is no fold 6"):
        split_pairs(dataset, {"fold": 6})


def test_pairs_that_cannot_be_split() -> None:
    with pytest.raises(DataError, match="needs a data set of pairs"):
        split_pairs(DataSet("folder", "/data", [], []), {})
    with pytest.raises(DataError, match="leaves the part test empty|leaves the part train empty"):
        split_pairs(make_dataset(num_people=2), {})
    with pytest.raises(ConfigError, match="val and test must sum to less than 1"):
        split_pairs(make_dataset(), {"val": 0.5, "test": 0.5})
    with pytest.raises(ConfigError, match="Unknown option of split \"pairs\" 'tset'. Did you mean 'test'"):
        split_pairs(make_dataset(), {"tset": 0.5})


def test_clusters() -> None:
    assert find_clusters(list("abcdef"), [("a", "c"), ("e", "c"), ("d", "d")]) == [["a", "c", "e"], ["b"], ["d"], ["f"]]


def test_photos_of_one_class_in_every_part(tmp_path: Path) -> None:
    dataset = make_dataset(num_people=3, photos=10)
    split = split_photos(dataset, {"val": 0.2, "test": 0.3})
    chosen = {part: select_part(dataset, split, part) for part in ("train", "val", "test")}
    assert {part: len(examples) for part, examples in chosen.items()} == {"train": 15, "val": 6, "test": 9}
    assert {len({e.identity for e in examples}) for examples in chosen.values()} == {3}
    assert len({e.path for examples in chosen.values() for e in examples}) == 30, "no photo is in two parts"
    write_split(split, tmp_path / "split.csv")
    assert read_run_split(Run(tmp_path, Config(), {})) == split
    with pytest.raises(ConfigError, match="val and test must sum to less than 1"):
        split_photos(dataset, {"val": 0.9, "test": 0.1})


def labelled(*parts: str) -> DataSet:
    examples = [Example(f"/data/{k}.jpg", f"p{k // 2}", attributes={"split": part}) for k, part in enumerate(parts)]
    return DataSet("folder", "/data", examples, examples)


def test_a_column_says_the_part() -> None:
    split = split_column(labelled("train", "train", "Val", "val", "test", "test", "", "unused"), {})
    assert (split.train, split.val, split.test, split.by) == (("p0",), ("p1",), ("p2",), "identity")
    with pytest.raises(DataError, match=r"1 person is \(p0\) in two parts of the column split.*by=photo"):
        split_column(labelled("train", "test"), {})
    split = split_column(labelled("train", "test"), {"by": "photo"})
    assert (split.train, split.test, split.by) == (("0.jpg",), ("1.jpg",), "photo")
    with pytest.raises(DataError, match="Unknown part 'tset'. Did you mean 'test'"):
        split_column(labelled("tset"), {})
    with pytest.raises(DataError, match="No photo of /data has a part in the column fold"):
        split_column(labelled("train"), {"column": "fold"})
    with pytest.raises(ConfigError, match="Valid: identity, photo"):
        split_column(labelled("train"), {"by": "person"})


def test_without_views_two_photos_make_a_match() -> None:
    faces = [Example("a1", "a"), Example("b1", "b"), Example("a2", "a"), Example("a3", "a"), Example("c1", "c")]
    assert people_to_match(faces) == ["a"]
    assert halve_views(faces) == ["dorsal", "dorsal", "palmar", "dorsal", "dorsal"]
    kept, note = require_both_views([*faces, Example("b2", "b")], "Training")
    assert [e.path for e in kept] == ["a1", "b1", "a2", "a3", "b2"]
    assert note == "Training: left out 1 person (c) with one photo only."
    with pytest.raises(
        DataError, match="Training needs at least 2 people with two photos each. Received: 1 such person among 3"
    ):
        require_both_views(faces, "Training")


def test_real_pairs_stay_whole() -> None:
    dataset = read_lfw(find_real_data("lfw"))
    split = make_split("pairs", dataset, {})
    sizes = []
    for part in ("train", "val", "test"):
        present = {e.path for e in select_part(dataset, split, part)}
        sizes.append(sum(pair.first in present and pair.second in present for pair in dataset.pairs))
    assert sum(sizes) == 2_200
    assert sizes == [1_428, 331, 441]
