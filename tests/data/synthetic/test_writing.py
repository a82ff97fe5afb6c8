"""The synthetic data set on disk: the official layout, the same for any number of workers, whole or not at all."""

import csv
import errno
import hashlib
import re
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from handnet.data.readers.hands11k import read_hands11k
from handnet.data.synthetic import sample_person, write_synthetic
from handnet.errors import DataError, DiskError

SMALL = (40, 30)


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_layout_is_the_official_one(tmp_path):
    calls = []
    write_synthetic(
        tmp_path / "made", 3, 5, 2, (64, 48), workers=1, progress=lambda name: lambda *call: calls.append(call)
    )
    assert calls == [(10, 30), (20, 30), (30, 30)]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["HandInfo.csv", "Hands"]
    lines = (tmp_path / "made" / "HandInfo.csv").read_bytes().split(b"\r\n")
    assert lines[0] == b"id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"
    assert lines[-1] == b""
    row = rb'"\d{7}",\d\d,"(fe)?male","(very fair|fair|medium|dark)",[01],[01],"(dorsal|palmar) (left|right)","Hand_\d{7}.jpg",0'
    assert all(re.fullmatch(row, line) for line in lines[1:-1])
    with (tmp_path / "made" / "HandInfo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["imageName"] for row in rows] == [f"Hand_{k:07d}.jpg" for k in range(1, 31)]
    assert [row["id"] for row in rows] == ["0000000"] * 10 + ["0000001"] * 10 + ["0000002"] * 10
    turns = ["right", "left", "right", "left", "right"]
    assert [row["aspectOfHand"] for row in rows[:10]] == [f"{v} {s}" for v in ("dorsal", "palmar") for s in turns]
    for name in (row["imageName"] for row in rows):
        with Image.open(tmp_path / "made" / "Hands" / name) as photo:
            assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (64, 48))


def test_reader_finds_every_photo_and_attribute(tmp_path):
    write_synthetic(tmp_path / "made", 12, 2, 4, SMALL, workers=1)
    dataset = read_hands11k(tmp_path / "made")
    assert len(dataset.examples) == 48
    assert not dataset.problems
    for example in dataset.examples:
        person = sample_person(4, int(example.identity))
        assert example.attributes["gender"] == person.gender
        assert example.attributes["skinColor"] == person.skin_class
        assert example.attributes["age"] == str(person.age)
        assert example.attributes["accessories"] == str(int(bool(person.ring and person.ring.side == example.side)))
        assert example.attributes["nailPolish"] == str(int(person.polish is not None and example.view == "dorsal"))


@pytest.mark.slow
def test_photos_do_not_depend_on_workers_nor_on_the_number_of_people(tmp_path):
    write_synthetic(tmp_path / "one", 21, 2, 3, SMALL, workers=1)
    write_synthetic(tmp_path / "two", 21, 2, 3, SMALL, workers=2)
    one = digest(tmp_path / "one")
    assert len(set(one.values())) == 85
    assert digest(tmp_path / "two") == one
    write_synthetic(tmp_path / "few", 2, 2, 3, SMALL)
    few = digest(tmp_path / "few")
    table = few.pop("HandInfo.csv")
    assert table != one["HandInfo.csv"]
    assert few == {name: one[name] for name in few}
    write_synthetic(tmp_path / "other", 2, 2, 4, SMALL)
    assert not set(digest(tmp_path / "other").values()) & set(one.values())


def test_used_target_is_refused_and_left_alone(tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match=r"used' is not empty. Give the name of a new folder, or empty it first."):
        write_synthetic(tmp_path / "used", 1, 1, 0, SMALL)
    with pytest.raises(DataError, match="is not a folder"):
        write_synthetic(tmp_path / "used" / "mine.txt", 1, 1, 0, SMALL)
    assert [path.name for path in tmp_path.rglob("*")] == ["used", "mine.txt"]


def test_empty_target_and_missing_parents_are_fine(tmp_path):
    (tmp_path / "empty").mkdir()
    write_synthetic(tmp_path / "empty", 1, 1, 0, SMALL)
    write_synthetic(tmp_path / "a" / "b", 1, 1, 0, SMALL)
    assert digest(tmp_path / "empty") == digest(tmp_path / "a" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]
    common = tmp_path / "common"
    common.mkdir()
    assert (tmp_path / "empty").stat().st_mode == common.stat().st_mode


def test_unwritable_place_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file' is not a folder. Give the name of a new folder."):
        write_synthetic(tmp_path / "file" / "made", 1, 1, 0, SMALL)

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(DiskError, match=r"Cannot write '.*made': Permission denied. Give a folder that can be written"):
        write_synthetic(tmp_path / "made", 1, 1, 0, SMALL)


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(DiskError, match="No space left on device") as caught:
        write_synthetic(tmp_path / "made", 2, 1, 0, SMALL, workers=1)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_interruption_leaves_nothing(tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic(tmp_path / "made", 2, 1, 0, SMALL, workers=1, progress=lambda name: stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_people": 0}, "`num_people` must be at least 1. Received: num_people=0"),
        ({"photos_per_view": 0}, "`photos_per_view` must be at least 1. Received: photos_per_view=0"),
        ({"seed": -1}, "`seed` must be at least 0. Received: seed=-1"),
        ({"workers": 0}, "`workers` must be at least 1. Received: workers=0"),
        ({"size_px": (8, 8)}, "`size_px` must be at least 24 each way"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, change, message):
    arguments = {"num_people": 1, "photos_per_view": 1, "seed": 0, "size_px": SMALL, "workers": 1} | change
    with pytest.raises(DataError, match=re.escape(message)):
        write_synthetic(tmp_path / "made", **arguments)
    assert not list(tmp_path.iterdir())
