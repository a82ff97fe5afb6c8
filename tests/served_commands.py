"""A program `handnet` for shells and notebooks whose work this process does: it has TensorFlow, which takes 5 s to import."""

import json
import signal
import socket
import sys
from collections.abc import Callable

import pytest

from tests.cli.command_line import CommandLine

# Sends where it is and what it was told, prints what it is told back, and ends as it is told.
PROGRAM = """#!{python} -ES
import json, os, socket, sys
with socket.create_connection(("127.0.0.1", {port})) as served:
    settings = {{name: value for name, value in os.environ.items() if name.startswith("HANDNET_")}}
    stream = served.makefile("rw", encoding="utf-8")
    stream.write(json.dumps([os.getcwd(), sys.argv[1:], settings]) + "\\n")
    stream.flush()
    code, out, err = json.loads(stream.readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


class ServedCommands:
    """This process as a server of its command line.

    Args:
        capfd: of the test.
        monkeypatch: of the test.

    Attributes:
        program: the text of the program that asks it.
    """

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._command, self._monkeypatch = CommandLine(capfd, monkeypatch), monkeypatch
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self.program = PROGRAM.format(python=sys.executable, port=self._listener.getsockname()[1])

    def serve(self, is_done: Callable[[], bool]) -> None:
        """Do what the program is called for, where it is called and with its settings, until its callers have ended."""
        # The command line has one of its own.
        handler = signal.getsignal(signal.SIGTERM)
        while not is_done():
            try:
                caller, _ = self._listener.accept()
            except TimeoutError:
                continue
            with caller, caller.makefile("rw", encoding="utf-8") as stream, self._monkeypatch.context() as patch:
                folder, arguments, settings = json.loads(stream.readline())
                patch.chdir(folder)
                for name, value in settings.items():
                    patch.setenv(name, value)
                stream.write(json.dumps(self._command.run(*arguments)) + "\n")
        signal.signal(signal.SIGTERM, handler)

    def close(self) -> None:
        """Answer no more."""
        self._listener.close()
