"""`handnet lr-find`; the measurement behind it: tests/training/test_lr_range.py, test_pair_training.py."""

from pathlib import Path

from tests.cli.command_line import CommandLine, copy_run


def test_what_cannot_be_tried_is_said_before_tensorflow_starts(
    command: CommandLine, finished: Path, monkeypatch
) -> None:
    copy_run(finished, Path("run"))
    monkeypatch.setattr("handnet.cli.lr_find.start_tensorflow", lambda: 1 / 0)
    assert "--set goes with CONFIG.toml: a run has its settings." in command.fail(
        "lr-find", "run", "--set=train.epochs=1", code=2
    )
    assert "There is no configuration file 'absent.toml'." in command.fail("lr-find", "absent.toml", code=2)
    assert "There is no data folder 'gone'" in command.fail("lr-find", "run", "--data=gone")
    Path("empty").mkdir()
    assert "'empty' is not a run folder" in command.fail("lr-find", "empty")
