"""The opening of every command and function on a run."""

from pathlib import Path

import pytest

from handnet.config.run_folder import create_run, read_run
from handnet.config.split import Split
from handnet.errors import ConfigError, DataError, RunError
from handnet.images.unusable_photos import NO_HAND
from handnet.library.opened_run import open_data, open_run
from tests.tiny import tiny_config, write_tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = write_tiny(tmp_path / "data", num_people=4, photos_per_view=1)
    facts = {"status": "finished", "data": {"directory": str(data), "fingerprint": "x"}}
    split = Split(train=("0000000", "0000001"), val=("0000002",), test=("0000003",))
    return create_run(tmp_path / "run", tiny_config(), facts, split).folder


def test_a_run_is_opened_with_the_photos_of_a_part_or_with_all(folder: Path) -> None:
    opened = open_run(folder, part="test")
    assert [example.identity for example in opened.examples] == ["0000003", "0000003"]
    assert opened.select("val") == [e for e in opened.dataset.examples if e.identity == "0000002"]
    assert len(open_run(folder).examples) == 8


def test_other_data_are_read_where_they_are_given(folder: Path, tmp_path: Path) -> None:
    other = write_tiny(tmp_path / "other", num_people=3, photos_per_view=1)
    assert open_run(folder, str(other)).dataset.directory == str(other)
    with pytest.raises(DataError, match="none of their photos is"):
        open_run(folder, str(other), "test")


@pytest.mark.parametrize("named", ["setting", "argument"])
def test_photos_without_a_hand_are_left_out_where_the_run_or_the_caller_asks_for_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    cropped = tiny_config(image={"crop": "hand"}, data={"skip_without_hand": named == "setting"})
    run = read_run(folder)._replace(config=cropped)
    without = run.facts["data"]["directory"] + "/Hands/Hand_0000003.jpg"
    looked: list[int] = []

    def find(paths: list[str], *_: object) -> dict[str, str]:
        looked.append(len(paths))
        return {without: NO_HAND["colour"]}

    monkeypatch.setattr("handnet.images.without_hand.find_unusable", find)
    lines: list[str] = []
    opened = open_data(run, echo=lines.append, skip_without_hand=named == "argument")
    assert without not in [example.path for example in opened.dataset.examples]
    assert opened.dataset.without_hand == ("Hands/Hand_0000003.jpg",)
    assert lines[-1] == "data: 1 of 8 photos show no hand and are left out (Hands/Hand_0000003.jpg)."
    # What a run has left out is known, and where all others are decoded there is nothing to look for.
    run.facts["data"] |= {
        "directory": str(Path(opened.dataset.directory).resolve()),
        "without_hand": ["Hands/Hand_0000003.jpg"],
    }
    monkeypatch.setattr("handnet.images.kept_photos.find_kept_files", lambda *_: [])
    assert open_data(run, echo=lines.append, skip_without_hand=True).dataset == opened.dataset
    assert (looked, lines[-1]) == ([8], lines[-2])
    # A part that there is not is refused before a photo is looked at.
    looked.clear()
    monkeypatch.undo()
    monkeypatch.setattr("handnet.images.without_hand.find_unusable", find)
    run.facts["data"].pop("without_hand")
    with pytest.raises(ConfigError, match="all"):
        open_data(run, part="all", echo=lines.append, skip_without_hand=True)
    assert not looked
    # Without both they stay.
    as_before = run._replace(config=tiny_config(image={"crop": "hand"}))
    assert len(open_data(as_before, echo=lines.append).dataset.examples) == 8


def test_what_is_wrong_is_said_before_tensorflow_starts(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="all"):
        open_run(folder, part="all")
    with pytest.raises(RunError, match="There is no run folder"):
        open_run(tmp_path / "gone")
    with pytest.raises(DataError, match="There is no data folder"):
        open_run(folder, str(tmp_path / "gone"))
