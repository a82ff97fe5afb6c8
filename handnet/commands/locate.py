"""Where a command's data come from: --data, $HANDNET_DATA, data/hands11k, or drawn on the spot."""

import os
from pathlib import Path

from handnet.cache import find_drawn_folder
from handnet.commands.console import echo, show_progress
from handnet.datasets import read_dataset
from handnet.datasets.dataset import DataSet
from handnet.datasets.hands11k import WHERE_TO_GET
from handnet.errors import DataError

DEFAULT_FOLDER = Path("data/hands11k")
SYNTHETIC = "synthetic"
_SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED = 150, 4, 1


def find_data(data: str) -> Path:
    """Return the data set's folder: `data` if given, else $HANDNET_DATA, else data/hands11k; "synthetic" is drawn once.

    Raises:
        DataError: there is no such folder; the message says where 11k Hands is to be had.
    """
    named = data or os.environ.get("HANDNET_DATA", "")
    if named == SYNTHETIC and not Path(SYNTHETIC).exists():
        return _draw_synthetic()
    folder = Path(named) if named else DEFAULT_FOLDER
    if not folder.is_dir():
        raise DataError(
            f"There is no data folder {str(folder)!r}. {WHERE_TO_GET}; then give --data DIR or set HANDNET_DATA. "
            "Or try made-up hands: --data synthetic."
        )
    return folder


def read_data(reader: str, data: str) -> DataSet:
    """Find and read a data set, and say what was left out of it."""
    dataset = read_dataset(reader, find_data(data))
    for problem in dataset.problems:
        echo(f"data: {problem}")
    return dataset


def _draw_synthetic() -> Path:
    from handnet.datasets.synthetic import write_synthetic

    name = f"synthetic-{_SYNTHETIC_PEOPLE}x{_SYNTHETIC_PHOTOS}-{_SYNTHETIC_SEED}"
    folder = find_drawn_folder(name)
    if not folder.exists():
        echo(f"drawing {_SYNTHETIC_PEOPLE} made-up people into {folder}")
        write_synthetic(
            folder, _SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED, progress=show_progress("draw hands")
        )
    return folder
