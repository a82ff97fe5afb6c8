"""How a command claims what it writes."""

from collections import namedtuple
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from handnet.cli._output import claim_output
from handnet.errors import DiskError
from handnet.files import hold_lock


def test_an_output_is_held_until_the_command_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"

    @click.command()
    def command() -> None:
        claim_output(target)
        with pytest.raises(DiskError, match="Another process"), hold_lock(target):
            pass

    CliRunner().invoke(command, catch_exceptions=False)
    with hold_lock(target), pytest.raises(DiskError, match="Another process"):
        CliRunner().invoke(command, catch_exceptions=False)
    monkeypatch.setattr("shutil.disk_usage", lambda _: namedtuple("Usage", "free total")(1000, 10**9))
    with pytest.raises(DiskError, match="has 0.0 MB free and about 10 MB are needed"):
        CliRunner().invoke(command, catch_exceptions=False)
    assert not list(tmp_path.iterdir())
