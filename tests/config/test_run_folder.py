import json
from pathlib import Path

import pytest

from handnet.config.run_folder import (
    check_absent,
    collect_facts,
    create_run,
    fingerprint_data,
    read_run,
    read_run_split,
    update_facts,
)
from handnet.config.settings import Config, TrainConfig
from handnet.config.split import Split
from handnet.config.toml import read_config
from handnet.errors import DiskError, RunError

CONFIG = Config(train=TrainConfig(seed=3))


SPLIT = Split(train=("a", "b"), val=("c",), test=("d",))


FACTS = collect_facts(CONFIG, ["handnet", "train"], {"directory": "/data", "fingerprint": "f"})


def test_a_run_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    run = create_run(folder, CONFIG, FACTS, SPLIT)
    assert read_run(folder) == run
    assert read_run_split(run) == SPLIT
    assert sorted(path.name for path in folder.iterdir()) == ["config.toml", "run.json", "seen_photos.txt", "split.csv"]
    assert read_config(folder / "config.toml") == CONFIG
    assert [path.name for path in folder.parent.iterdir()] == ["mine"], "no temporary folder is left"


def test_the_facts_are_enough_to_repeat_a_run() -> None:
    assert (FACTS["status"], FACTS["seed"], FACTS["command"]) == ("started", 3, ["handnet", "train"])
    assert FACTS["data"] == {"directory": "/data", "fingerprint": "f"}
    assert set(FACTS["packages"]) >= {"handnet", "tensorflow", "keras", "keras-hub", "numpy"}
    assert FACTS["packages"]["numpy"][0].isdecimal()
    assert {"git_revision", "python", "machine", "started"} <= FACTS.keys()
    assert json.loads(json.dumps(FACTS)) == FACTS


def test_facts_are_changed_whole(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", CONFIG, FACTS, SPLIT)
    changed = update_facts(run, {"status": "finished", "best_epoch": 2})
    assert changed.facts == {**FACTS, "status": "finished", "best_epoch": 2}
    assert read_run(tmp_path / "run") == changed
    diverged = update_facts(changed, {"best": {"loss": float("nan"), "val_mean_rank": 1.5}})
    assert diverged.facts["best"] == {"loss": None, "val_mean_rank": 1.5}
    assert read_run(tmp_path / "run") == diverged


def test_what_lies_in_the_way_is_kept(tmp_path: Path) -> None:
    create_run(tmp_path / "run", CONFIG, FACTS, SPLIT)
    with pytest.raises(RunError, match="exists already. Continue it with --resume, or give another --run"):
        create_run(tmp_path / "run", CONFIG, FACTS, SPLIT)
    (tmp_path / "folder").mkdir()
    check_absent(tmp_path / "folder")
    create_run(tmp_path / "folder", CONFIG, FACTS, SPLIT)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/letter.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("other", "file"):
        with pytest.raises(RunError, match="exists and is not a run. Give another --run"):
            create_run(tmp_path / name, CONFIG, FACTS, SPLIT)
    assert (tmp_path / "other/letter.txt").read_text() == "mine"


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DiskError, match=r"Cannot write '.*file/run': .* Give a folder that can be written"):
        create_run(tmp_path / "file" / "run", CONFIG, FACTS, SPLIT)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("handnet.config.run_folder.write_json", fail)
    with pytest.raises(DiskError, match=r"No space left on device\. Is the disk full"):
        create_run(tmp_path / "run", CONFIG, FACTS, SPLIT)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_fingerprint_tells_contents_labels_and_order() -> None:
    first = fingerprint_data(["1", "2"], ["a", "b"])
    assert first == fingerprint_data(["1", "2"], ["a", "b"])
    others = [
        fingerprint_data(["1", "3"], ["a", "b"]),
        fingerprint_data(["1", "2"], ["a", "c"]),
        fingerprint_data(["2", "1"], ["b", "a"]),
        fingerprint_data(["1"], ["a"]),
        # A label that holds what separates labels.
        fingerprint_data(["1"], ["a'\n2 'b"]),
    ]
    assert len({first, *others}) == 6
