"""`handnet client`, as far as no server answers; with one: tests/serving/client/test_calls.py."""

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.photos import write_jpeg


def test_mistakes_are_said_before_a_server_is_asked(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handnet.cli.client._connect", lambda server: pytest.fail("a server was asked"))
    write_jpeg(Path("a.jpg"))
    server = "--server=http://localhost:1"
    assert "Missing option '--server'" in command.fail("client", "embed", "a.jpg", code=2)
    assert "Received: 'ftp://" in command.fail("client", "embed", "a.jpg", "--server=ftp://x:1", code=2)
    assert "an even number. Received: 3." in command.fail("client", "verify", "a.jpg", "a.jpg", "a.jpg", server, code=2)
    assert "There is no photo or folder 'b.jpg'" in command.fail("client", "embed", "b.jpg", server)
    assert ".npz" in command.fail("client", "embed", "a.jpg", server, "--output=vectors.txt", code=2)
