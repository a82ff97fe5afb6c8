"""The command line, called as the console script does, and a finished run for it."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import handnet.cli.main
from handnet.networks.backbones import BACKBONES
from tests.cli.command_line import NUM_PEOPLE, QUICK, CommandLine
from tests.shared import build_once
from tests.tiny import tiny_backbone, train_eagerly, write_tiny


@pytest.fixture(scope="module", autouse=True)
def _tiny_backbone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
        yield


@pytest.fixture
def command(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, working_folder: Path
) -> Iterator[CommandLine]:
    """The command line, in an empty working folder."""
    del working_folder
    handler = signal.getsignal(signal.SIGTERM)
    yield CommandLine(capfd, monkeypatch)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set `hands` and a finished run `run` on it; tests copy before they change anything."""
    return build_once(tmp_path_factory, "finished", train_quickly)


def train_quickly(folder: Path) -> None:
    write_tiny(folder / "hands", NUM_PEOPLE, photos_per_view=1)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("HANDNET_CACHE", str(folder / "cache"))
        monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
        train_eagerly(monkeypatch)
        arguments = ["train", f"--data={folder / 'hands'}", f"--run={folder / 'run'}", *QUICK]
        monkeypatch.setattr(sys, "argv", ["handnet", *arguments])
        with pytest.raises(SystemExit) as stop:
            handnet.cli.main.main()
    signal.signal(signal.SIGTERM, handler)
    assert stop.value.code == 0
