"""TensorFlow is started once, without its start-up lines."""

from pathlib import Path

import pytest

from tests.cli.command_line import QUICK, CommandLine


def test_a_backend_of_keras_that_is_not_installed_is_named(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK, code=2)
    assert line == "handnet: KERAS_BACKEND names 'theano', which is not installed here. Unset it."
