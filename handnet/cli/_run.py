"""The run of a command and its data, with their notes and progress printed on the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from handnet.cli._console import echo, show_progress
from handnet.library import opened_run

if TYPE_CHECKING:
    from handnet.config.run_folder import Run


def open_run(folder: Path, data: str = "", part: str = "", skip_without_hand: bool = False) -> opened_run.OpenRun:
    """Read a run and its data; see `handnet.library.opened_run`."""
    return opened_run.open_run(folder, data, part, echo, show_progress, skip_without_hand)


def open_data(run: "Run", data: str = "", part: str = "") -> opened_run.OpenRun:
    """Read the data of a run that has been read; see `handnet.library.opened_run`."""
    return opened_run.open_data(run, data, part, echo, show_progress)
