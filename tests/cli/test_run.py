"""The opening of every command on a run."""

import json
import shutil
from pathlib import Path

import h5py
import pytest

from handnet.cli._run import open_run
from handnet.config.run_folder import create_run
from handnet.config.split import Split
from handnet.errors import ConfigError, DataError, RunError
from tests.cli.command_line import (
    CommandLine,
    copy_run,
)
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


def test_what_is_wrong_is_said_before_tensorflow_starts(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="all"):
        open_run(folder, part="all")
    with pytest.raises(RunError, match="There is no run folder"):
        open_run(tmp_path / "gone")
    with pytest.raises(DataError, match="There is no data folder"):
        open_run(folder, str(tmp_path / "gone"))


@pytest.mark.parametrize(
    "arguments", [["train", "--resume", "--run=x"], ["eval", "x"], ["export", "x", "saved_models/x"]]
)
def test_a_folder_that_is_no_run_is_said(arguments: list[str], command: CommandLine) -> None:
    assert "There is no run folder 'x'." in command.fail(*arguments)
    Path("x").mkdir()
    Path("x/config.toml").write_text("")
    assert "'x' is not a run folder: it lacks run.json, split.csv." in command.fail(*arguments)
    shutil.rmtree("x")
    Path("x").write_text("a file")
    assert "There is no run folder 'x'." in command.fail(*arguments)


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("run.json", b"{", "The run 'run' is damaged"),
        ("run.json", b"[]", "The run 'run' is damaged"),
        ("run.json", b"{}", "The run 'run' is damaged"),
        ("run.json", b'{"data": {}}', "The run 'run' is damaged: run.json does not say its status or its data"),
        ("config.toml", b"[trian]", "The run 'run' is damaged: Unknown config key 'trian'. Did you mean 'train'?"),
        ("config.toml", b"\xff", "The run 'run' is damaged"),
        ("split.csv", b"", "split.csv' is damaged"),
        ("split.csv", b"\xff\xfe", "split.csv' cannot be read"),
        ("split.csv", b"identity,part\n1,tset\n", "split.csv' is damaged"),
        ("model.weights.h5", b"", "model.weights.h5' does not fit the run's configuration or is damaged"),
        (
            "model.weights.h5",
            b"\x89HDF\r\n\x1a\n",
            "model.weights.h5' does not fit the run's configuration or is damaged",
        ),
    ],
)
def test_a_damaged_run_is_one_line(
    name: str, contents: bytes, message: str, command: CommandLine, finished: Path
) -> None:
    copy_run(finished, Path("run"))
    (Path("run") / name).write_bytes(contents)
    assert message in command.fail("eval", "run", "--output=report")


def test_weights_of_another_network_or_none_are_said(command: CommandLine, finished: Path) -> None:
    copy_run(finished, Path("run"))
    with h5py.File("run/model.weights.h5", "w") as file:
        file["mine"] = [1.0, 2.0]
    assert "does not fit the run's configuration or is damaged" in command.fail("eval", "run", "--output=report")
    Path("run/model.weights.h5").unlink()
    assert "has no model.weights.h5" in command.fail("eval", "run", "--output=report")


def test_the_data_of_a_run_that_have_gone_are_said(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    facts = json.loads((run / "run.json").read_text())
    facts["data"]["directory"] = "/gone/hands"
    (run / "run.json").write_text(json.dumps(facts))
    for arguments in (["eval", "run"], ["export", "run", "saved_models/run"]):
        line = command.fail(*arguments)
        assert "There is no data folder '/gone/hands'" in line
        assert "--data DIR" in line
