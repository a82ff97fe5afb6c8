"""The data of a command, with its notes and progress printed on the terminal."""

from pathlib import Path

from handnet.cli._console import echo, show_progress
from handnet.data import photo_files
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.missing_labels import See
from handnet.data.readers import folder as any_folder
from handnet.data.readers import read_dataset
from handnet.errors import DataError
from handnet.library import data_folder


def find_data(data: str, reader: str = "hands11k") -> Path:
    """Return the data set's folder; see `handnet.library.data_folder`."""
    return data_folder.find_data(data, reader, echo, show_progress)


def read_data(reader: str, data: str, fill_labels: bool = True) -> DataSet:
    """Find and read a data set, and say what was left out of it; see `handnet.library.data_folder`."""
    return data_folder.read_data(reader, data, fill_labels, echo, show_progress)


def choose_see(reader: str, fill_labels: bool) -> See | None:
    """Return what looks into photos for the labels that they lack, or None; see `handnet.library.data_folder`."""
    return data_folder.choose_see(reader, fill_labels, show_progress)


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
            return data_folder.tell_notes(read_dataset(reader, folder, choose_see(reader, True)), echo).examples
    elif reader:
        raise DataError("--reader is for one folder, a data set. Leave it out for photos.")
    paths: list[str] = []
    for source in sources:
        if source.is_dir():
            found = photo_files.find_photos(source)
            for problem in found.describe():
                echo(f"data: {problem}")
            if not found.photos:
                kinds = ", ".join(suffix.removeprefix(".") for suffix in photo_files.PHOTO_SUFFIXES)
                raise DataError(f"There is no photo ({kinds}) in {str(source)!r}.")
            paths += found.photos
        elif source.is_file():
            paths.append(str(source.absolute()))
        else:
            raise DataError(f"There is no photo or folder {str(source)!r}.")
    return [Example(path, "") for path in paths]
