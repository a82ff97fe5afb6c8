"""The command line as a hostile new user tries it: each mistake is one line on stderr, exit code 1 or 2, nothing half written."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command_line import (
    QUICK,
    CommandLine,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'? See: handnet --help"),
        (["data", "chekc", "x"], "No such command 'chekc'. Did you mean 'check'? See: handnet data --help"),
        (["train", "--epoch", "3"], "No such option '--epoch'"),
        (["train", "--epochs", "many"], "'many' is not a valid integer. See: handnet train --help"),
        (["train", "--set", "train.epoch=3"], "Unknown config key 'train.epoch'. Did you mean 'train.epochs'?"),
        (["train", "--set", "trian.epochs=3"], "Unknown config key 'trian'. Did you mean 'train'?"),
        (["train", "--set", "epochs"], "Expected an override of the form section.key=value. Received: 'epochs'."),
        (["train", "--precision", "float23"], "Unknown value of train.precision: 'float23'. Did you mean 'float32'?"),
        (["train", "--epochs", "-1"], "`train.epochs` must lie between 0 and"),
        (["train", "--batch", "7"], "--batch must be a multiple of 2 photos"),
        (["train", "absent.toml"], "There is no configuration file 'absent.toml'."),
        (["train", "--resume"], "--resume needs --run DIR"),
        (["train", "--resume", "--run", "r", "--epochs", "9"], "--resume takes all settings from the run."),
        (["data", "check"], "Missing argument 'DIR'. See: handnet data check --help"),
        (["data", "check", "x", "--split", "a", "--split-file", "b"], "Give --split or --split-file, not both."),
        (
            ["data", "check", "x", "--set", "data.spilt=a"],
            "Unknown config key 'data.spilt'. Did you mean 'data.split'?",
        ),
        (["data", "check", "x", "--reader", "hands12k"], "Unknown reader 'hands12k'. Did you mean 'hands11k'?"),
        (["data", "synth", "x", "--size", "9"], "Expected --size as WIDTHxHEIGHT, such as 256x192. Received: '9'."),
    ],
)
def test_a_wrong_command_option_or_setting_is_named(arguments: list[str], message: str, command: CommandLine) -> None:
    assert message in command.fail(*arguments, code=2)


@pytest.mark.parametrize(
    "arguments",
    [["data", "check"], ["export", "x"], ["weights", "convert", "x", "--arch", "mini"], ["eval", "--embeddings"]],
)
def test_a_name_that_is_too_long_is_one_line(arguments: list[str], command: CommandLine) -> None:
    line = command.fail(*arguments, 300 * "x", code=1)
    assert "the name of the file or folder is too long" in line
    assert len(line) < 300


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_to_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "handnet", "--help"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (
        process.stderr
        == b"handnet: writing the output: no space is left on the disk. Free space or give another folder.\n"
    )
    assert process.returncode == 1


def test_what_tensorflow_has_made_is_not_looked_through_once_more_at_the_end() -> None:
    program = (
        "import atexit, gc, sys; from handnet.cli.main import main; sys.argv = ['handnet', '--version']\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0)); main()"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert found.stdout.split()[-1] == "True"


def test_help_is_no_mistake(command: CommandLine) -> None:
    for arguments in ([], ["data"]):
        outcome = command.run(*arguments)
        assert "Usage: handnet" in outcome.out + outcome.err
    assert command.run("train", "--help").code == 0


def test_a_reader_of_the_output_who_leaves_is_no_mistake() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "handnet", "train", "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.wait()


@pytest.mark.parametrize("target", ["notes.txt", "notes.txt/below", "/proc/handnet"])
def test_outputs_that_cannot_be_written_are_one_line(target: str, command: CommandLine, finished: Path) -> None:
    Path("notes.txt").write_text("keep me")
    data, run = f"--data={finished / 'hands'}", finished / "run"
    for arguments in (
        ["train", data, f"--run={target}", *QUICK],
        ["eval", run, f"--output={target}"],
        ["export", run, target],
        ["data", "synth", target, "--people=2", "--photos=1"],
        ["data", "augment-preview", finished / "hands", f"--output={target}/preview.png"],
    ):
        line = command.fail(*arguments)
        assert "notes.txt" in line or "/proc" in line
    outcome = command.run("data", "check", finished / "hands", f"--output={target}")
    assert (outcome.code, len(outcome.err.splitlines())) == (1, 1)
    assert Path("notes.txt").read_text() == "keep me"


def test_a_full_disk_is_said_before_any_work(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 1_000_000, "total": 10**9}))
    monkeypatch.setattr("handnet.data.readers.hands11k._list_photos", lambda *_: pytest.fail("work was begun"))
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK)
    assert "has 1.0 MB free and about 100 MB are needed. Free space or give another folder." in line
    monkeypatch.setattr("handnet.library.export_run.start_tensorflow", lambda: pytest.fail("work was begun"))
    monkeypatch.setattr("handnet.cli.cv.start_tensorflow", lambda: pytest.fail("work was begun"))
    assert "has 1.0 MB free" in command.fail("export", finished / "run", "model")
    assert "has 1.0 MB free" in command.fail("cv", f"--data={finished / 'hands'}", "--set=model.arch=tiny")


class StopAtImport:
    """Ctrl-C as the module of the command line is looked for."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Stop at the first import of it."""
        if name == "handnet.cli.main":
            raise KeyboardInterrupt


def test_ctrl_c_before_the_command_line_is_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "handnet.cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [StopAtImport(), *sys.meta_path])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("handnet", run_name="__main__")
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "handnet: interrupted.\n"
