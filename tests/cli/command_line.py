"""The command line, called as the console script does, and a finished run for it."""

import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import handnet.cli.main
from handnet.data.readers.hands11k import read_hands11k
from handnet.data.splits.rules import make_split, select_part

# Settings with which a training on tests/tiny.py's data takes seconds.
QUICK = (
    "--arch=tiny",
    "--epochs=1",
    "--batch=8",
    "--precision=float32",
    *(f"--set={setting}" for setting in ("image.size_px=32", "sampler.passes_per_epoch=1", "model.hidden_size=16")),
    *(f"--set=augment.{kind}_probability=0" for kind in ("rotation", "translation", "zoom", "color", "blur")),
)
NUM_PEOPLE = 20
PROGRESS = re.compile(r"^[a-z ]+: [0-9,]+/[0-9,]+(, .*)?$")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class CommandLine:
    """Calls `handnet.cli.main.main` as the console script does, and captures what it prints."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd, self._monkeypatch = capfd, monkeypatch

    def run(self, *arguments: object) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["handnet", *map(str, arguments)])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            handnet.cli.main.main()
        out, err = self._capfd.readouterr()
        assert isinstance(stop.value.code, int)
        assert "Traceback" not in out + err
        # On a busy machine work that takes no time may take the second after which progress is shown.
        lines = [line for line in err.splitlines(keepends=True) if not PROGRESS.search(line)]
        return Outcome(stop.value.code, out, "".join(lines))

    def fail(self, *arguments: object, code: int = 1) -> str:
        """Run a command that must fail with one line and leave the working folder as it is; return the line."""
        before = list_files(Path())
        outcome = self.run(*arguments)
        lines = outcome.err.splitlines()
        assert (outcome.code, len(lines)) == (code, 1), outcome
        assert lines[0].startswith("handnet: ")
        assert list_files(Path()) == before, "nothing is written"
        return lines[0]


def list_files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


def copy_run(finished: Path, target: Path) -> Path:
    return Path(shutil.copytree(finished / "run", target))


def training_photos(folder: Path) -> list[Path]:
    """Return the photos of the people whom the default split trains on."""
    dataset = read_hands11k(folder)
    return [Path(example.path) for example in select_part(dataset, make_split("hands-cross-view", dataset), "train")]
