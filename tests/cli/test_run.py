"""The opening of every command on a run."""

import json
import shutil
from pathlib import Path

import h5py
import pytest

from tests.cli.command_line import (
    CommandLine,
    copy_run,
)


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
