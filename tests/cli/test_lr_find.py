"""`handnet lr-find`; the measurement behind it: tests/training/test_lr_range.py, test_pair_training.py."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from handnet.cli.main import cli
from handnet.config.run_folder import Run
from handnet.errors import RunError
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


@pytest.mark.parametrize("suggestion", [0.00123, None])
def test_lr_find_draws_and_suggests(
    suggestion: float | None, pairs_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.training.lr_range.suggest_rate", lambda *_: suggestion)
    config = tmp_path / "config.toml"
    config.write_text((pairs_run.folder / "config.toml").read_text())
    data = ["--data", str(pairs_run.folder.parent / "data"), "--steps", "20", "--low", "1e-4"]
    sources = ((config, "optimizer.learning_rate="), (pairs_run.folder, "pairs.learning_rate="))
    # Without a suggestion it ends in the same way for both.
    for source, key in sources if suggestion else sources[1:]:
        arguments = ["lr-find", str(source), *data, "--output", str(tmp_path / "range.png")]
        result = CliRunner().invoke(cli, arguments)
        if suggestion is None:
            assert isinstance(result.exception, RunError)
            assert "There is no rate to suggest: between 0.0001 and" in str(result.exception)
        else:
            assert result.exit_code == 0, result.output
            assert f"the loss falls fastest at 0.0012: {key}0.0012" in result.output
        assert Image.open(tmp_path / "range.png").size == (770, 462)
        (tmp_path / "range.png").unlink()
