"""Test photos that weights have seen, and photos that lie in two places; `train` said nothing of either."""

from dataclasses import replace
from pathlib import Path

from handnet.config.run_folder import SEEN_PHOTOS_FILE, Run, collect_facts, create_run, read_seen_photos
from handnet.config.settings import Config, ModelConfig
from handnet.config.split import Split
from handnet.data.cache import digest_bytes
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.leaks import collect_seen_photos, find_copies, find_seen, select_photos
from tests.photos import write_bytes

SPLIT = Split(("ann", "bob"), ("eve",), ("joe",))


def make_dataset(directory: Path, **contents: bytes) -> DataSet:
    """Make a data set of photos PERSON_NUMBER of these contents."""
    examples = []
    for name, content in contents.items():
        (directory / name.partition("_")[0]).mkdir(parents=True, exist_ok=True)
        path = write_bytes(directory / name.partition("_")[0] / f"{name}.jpg", content)
        examples.append(Example(str(path), name.partition("_")[0]))
    return DataSet("folder", str(directory), examples, examples)


def make_run(folder: Path, dataset: DataSet, split: Split, weights: str = "none") -> Run:
    """Make a run as if it had been trained on the training and validation people."""
    config = Config(model=ModelConfig(weights=weights))
    parts = {part: select_photos(dataset, split, part) for part in ("train", "val")}
    counts = {part: len(examples) for part, examples in parts.items()}
    facts = collect_facts(config, [], {"directory": dataset.directory, "fingerprint": "", "num_photos": counts})
    digests = [digest_bytes(Path(e.path).read_bytes()) for examples in parts.values() for e in examples]
    return create_run(folder, config, facts, split, collect_seen_photos(weights, digests))


def test_photos_are_known_again_wherever_they_lie(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "a", ann_1=b"1", bob_1=b"2", eve_1=b"3", joe_1=b"4", joe_2=b"5")
    run = make_run(tmp_path / "run", dataset, SPLIT)
    # The same photos under other names, dealt out otherwise: ann's and eve's have been seen.
    other = make_dataset(tmp_path / "b", p1_1=b"1", p2_1=b"2", p3_1=b"3", p4_1=b"4", p4_2=b"5", p3_2=b"new")
    test = select_photos(other, Split(("p2",), (), ("p1", "p3", "p4")), "test")
    seen = find_seen(str(run.folder), "test", test, other.directory)
    assert seen is not None
    assert (seen.num_people, seen.num_all_people, seen.num_photos) == (2, 3, 2)
    assert "have seen 2 of 3 test people (2 of their photos)" in seen.describe()
    assert find_seen(str(run.folder), "test", select_photos(dataset, SPLIT, "test"), dataset.directory) is None
    assert find_seen("none", "test", test, other.directory) is None
    assert find_seen(str(tmp_path / "a"), "test", test, other.directory) is None


def test_what_an_earlier_run_has_seen_is_seen(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "a", ann_1=b"1", bob_1=b"2", eve_1=b"3", joe_1=b"4")
    first = make_run(tmp_path / "first", dataset, SPLIT)
    other = make_dataset(tmp_path / "b", kim_1=b"9")
    second = make_run(tmp_path / "second", other, Split(("kim",), (), ()), weights=str(first.folder))
    assert len(read_seen_photos(second)) == 4
    test = select_photos(dataset, Split(("joe",), (), ("ann", "bob")), "test")
    seen = find_seen(str(second.folder), "test", test, dataset.directory)
    assert seen is not None
    assert seen.num_people == 2


def test_runs_without_a_list_are_compared_by_people_of_the_same_folder(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "a", ann_1=b"1", joe_1=b"4")
    run = make_run(tmp_path / "run", dataset, SPLIT)
    (run.folder / SEEN_PHOTOS_FILE).unlink()
    test = select_photos(dataset, Split(("joe",), (), ("ann",)), "test")
    seen = find_seen(str(run.folder), "test", test, dataset.directory)
    assert seen is not None
    assert (seen.num_people, seen.num_photos) == (1, 0)
    assert find_seen(str(run.folder), "test", test, str(tmp_path / "b")) is None


def test_validation_photos_that_weights_were_trained_on_are_found(tmp_path: Path) -> None:
    # bob's photo is there twice: the copy must not make eve's one of those that were trained on.
    dataset = make_dataset(tmp_path / "a", ann_1=b"1", bob_1=b"2", bob_2=b"2", eve_1=b"3", joe_1=b"4")
    first = make_run(tmp_path / "first", dataset, SPLIT)
    split = Split(("joe",), ("ann", "eve"), ("bob",))
    photos = select_photos(dataset, split, "val")
    seen = find_seen(str(first.folder), "val", photos, dataset.directory)
    assert seen is not None
    assert seen.describe() == (
        f"the weights of the run {str(first.folder)!r} have seen 1 of 2 validation people (1 of their photos) in training: "
        "figures on them are too good, and the best epoch and the thresholds rest on them."
    )
    by_photo = find_seen(str(first.folder), "val", photos, dataset.directory, by="photo")
    assert by_photo is not None
    assert "have seen 1 of 2 validation photos in training" in by_photo.describe()
    # To choose an epoch on them again, with the same split, is no leak.
    assert find_seen(str(first.folder), "val", select_photos(dataset, SPLIT, "val"), dataset.directory) is None
    # A run in between, with the first at its place and gone.
    other = make_dataset(tmp_path / "b", kim_1=b"9")
    second = make_run(tmp_path / "second", other, Split(("kim",), (), ()), weights=str(first.folder))
    there = find_seen(str(second.folder), "val", photos, dataset.directory)
    first.folder.rename(tmp_path / "elsewhere")
    gone = find_seen(str(second.folder), "val", photos, dataset.directory)
    assert there is not None
    assert gone is not None
    assert (there.num_people, gone.num_people) == (1, 2), "which photos a run that has gone was trained on is not known"
    (second.folder / SEEN_PHOTOS_FILE).unlink()
    assert find_seen(str(second.folder), "val", photos, dataset.directory) is None


def test_validation_people_are_compared_with_training_people_where_a_run_has_no_list(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "a", ann_1=b"1", eve_1=b"3")
    run = make_run(tmp_path / "run", dataset, SPLIT)
    (run.folder / SEEN_PHOTOS_FILE).unlink()
    seen = find_seen(str(run.folder), "val", dataset.examples, dataset.directory)
    assert seen is not None
    assert (seen.num_people, seen.num_all_people, seen.num_photos) == (1, 2, 0)


def test_copies_under_two_people_and_in_two_parts_are_found(tmp_path: Path) -> None:
    contents = {"ann_1": b"1", "ann_2": b"same", "bob_1": b"2", "bob_2": b"same", "joe_1": b"4", "joe_2": b"4"}
    dataset = make_dataset(tmp_path, **contents)
    by_person = find_copies(dataset, Split(("ann",), ("bob",), ("joe",)))
    assert [Path(path).name for path in by_person.across_parts] == ["bob_2.jpg"]
    assert [[Path(p).name for p in group] for group in by_person.under_two_people] == [["ann_2.jpg", "bob_2.jpg"]]
    assert by_person.describe() == [
        "1 photo (ann_2.jpg = bob_2.jpg) under two people: one of the labels is wrong, and no model can learn it. "
        "`handnet data check` lists them.",
        "1 validation or test photo (bob_2.jpg) also in an earlier part, identical to the byte: figures are too good. Remove "
        "the copies.",
    ]
    photos = tuple(str(Path(e.path).relative_to(tmp_path)) for e in dataset.examples)
    by_photo = find_copies(dataset, Split(photos[:5], (), photos[5:], by="photo"))
    assert [Path(path).name for path in by_photo.across_parts] == ["joe_2.jpg"]
    clean = replace(dataset, examples=dataset.examples[:1])
    assert find_copies(clean, Split(("ann",), ("bob",), ("joe",))).describe() == []
