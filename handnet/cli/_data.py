"""Where a command's data come from: --data, $HANDNET_DATA, data/hands11k, or drawn on the spot."""

import os
from pathlib import Path

from handnet.cli._console import echo, show_progress
from handnet.data.cache import find_drawn_folder
from handnet.data.dataset import PHOTO_SUFFIXES, DataSet
from handnet.data.example import Example
from handnet.data.readers import folder as any_folder
from handnet.data.readers import hands11k, lfw, read_dataset, tiny_imagenet
from handnet.errors import DataError

DEFAULT_FOLDER = Path("data/hands11k")
SYNTHETIC = "synthetic"
_WHERE_TO_GET = {
    "lfw": lfw.WHERE_TO_GET,
    "lfw-folds": lfw.WHERE_TO_GET,
    "tiny-imagenet": tiny_imagenet.WHERE_TO_GET,
    "folder": any_folder.LAYOUT,
}
_SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED = 150, 4, 1


def find_data(data: str, reader: str = "hands11k") -> Path:
    """Return the data set's folder: `data` if given, else $HANDNET_DATA, else data/hands11k; "synthetic" is drawn once.

    Raises:
        DataError: there is no such folder; the message says where what the reader reads is to be had.
    """
    named = data or os.environ.get("HANDNET_DATA", "")
    if named == SYNTHETIC and not Path(SYNTHETIC).exists():
        return _draw_synthetic()
    folder = Path(named) if named else DEFAULT_FOLDER
    if not folder.is_dir():
        where = _WHERE_TO_GET.get(reader, hands11k.WHERE_TO_GET)
        made_up = " Or try made-up hands: --data synthetic." if reader not in _WHERE_TO_GET else ""
        raise DataError(
            f"There is no data folder {str(folder)!r}. {where}; then give --data DIR or set HANDNET_DATA.{made_up}"
        )
    return folder


def read_data(reader: str, data: str) -> DataSet:
    """Find and read a data set, and say what was left out of it."""
    dataset = read_dataset(reader, find_data(data, reader))
    for problem in dataset.problems:
        echo(f"data: {problem}")
    return dataset


def find_photos(sources: tuple[Path, ...], reader: str) -> list[Example]:
    """Return the photos that files, a folder or a data set give, with their labels where there is a table.

    Args:
        sources: photos and folders of photos, or one folder with a data set.
        reader: how the data set is laid out; "" is seen from its table.

    Raises:
        DataError: there is no such file or folder, or no photo in it.
    """
    if len(sources) == 1 and sources[0].is_dir():
        folder = sources[0]
        if not reader:
            tables = {"HandInfo.csv": "hands11k", any_folder.TABLE_NAME: "folder"}
            reader = next((name for table, name in tables.items() if (folder / table).is_file()), "")
        if reader:
            dataset = read_dataset(reader, folder)
            for problem in dataset.problems:
                echo(f"data: {problem}")
            return dataset.examples
    elif reader:
        raise DataError("--reader is for one folder, a data set. Leave it out for photos.")
    paths: list[str] = []
    for source in sources:
        if source.is_dir():
            below = (path for path in source.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
            found = sorted(str(path.absolute()) for path in below)
            if not found:
                kinds = ", ".join(suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES)
                raise DataError(f"There is no photo ({kinds}) in {str(source)!r}.")
            paths += found
        elif source.is_file():
            paths.append(str(source.absolute()))
        else:
            raise DataError(f"There is no photo or folder {str(source)!r}.")
    return [Example(path, "") for path in paths]


def _draw_synthetic() -> Path:
    from handnet.data.synthetic import write_synthetic

    name = f"synthetic-{_SYNTHETIC_PEOPLE}x{_SYNTHETIC_PHOTOS}-{_SYNTHETIC_SEED}"
    folder = find_drawn_folder(name)
    if not folder.exists():
        echo(f"drawing {_SYNTHETIC_PEOPLE} made-up people into {folder}")
        write_synthetic(folder, _SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED, progress=show_progress)
    return folder
