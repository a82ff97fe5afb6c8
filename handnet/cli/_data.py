"""The data of a command, with its notes and progress printed on the terminal."""

from pathlib import Path
from typing import NamedTuple

from handnet.cli._console import echo, show_progress
from handnet.data import photo_files
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.missing_labels import See
from handnet.data.readers import folder as any_folder
from handnet.data.readers import read_dataset
from handnet.data.readers.photo_table import TABLE_SUFFIXES, read_photo_table
from handnet.data.remote.addresses import BUCKETS, check_address, hide_secrets, is_address
from handnet.data.remote.any_folder import Folder, read_to_temporary
from handnet.data.remote.remote_photos import list_photos, read_photo_anywhere
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


class FoundPhotos(NamedTuple):
    """Photos and what is known of them.

    Attributes:
        examples: the photos with their labels.
        stamps: address → (bytes, time of the last change) of those that were listed in a bucket.
    """

    examples: list[Example]
    stamps: dict[str, tuple[int, int]]


def find_photos_anywhere(sources: tuple[str, ...], reader: str) -> FoundPhotos:
    """Return the photos that paths give, as `find_photos`; or a bucket's folder, or a table of photos that lie anywhere.

    Args:
        sources: as `find_photos`; or one folder s3://BUCKET/NAME or gs://BUCKET/NAME, whose labels.csv is read if it has one;
            or one .csv file, a path or an address, with the column path and any of identity, view, side.
        reader: as `find_photos`.

    Raises:
        DataError: as `find_photos`; an address that is not allowed or cannot be read.
    """
    first = sources[0]
    is_table = first.lower().partition("?")[0].endswith(TABLE_SUFFIXES)
    if not any(map(is_address, sources)) and not (is_table and Path(first).is_file()):
        return FoundPhotos(find_photos(tuple(map(Path, sources)), reader), {})
    if len(sources) > 1 or reader:
        raise DataError(
            "A table or an address is given alone, without --reader. A table may name photos of several places."
        )
    if not is_address(first):
        examples, notes = read_photo_table(Path(first), str(Path(first).parent))
        return FoundPhotos(_tell(examples, notes), {})
    scheme = check_address(first).scheme
    if is_table:
        return FoundPhotos(_read_remote_table(first), {})
    if scheme not in BUCKETS:
        raise DataError(
            f"A web server cannot be listed. Give a table of addresses, labels.csv with the column path. Received: "
            f"{hide_secrets(first)!r}."
        )
    table = f"{first.rstrip('/')}/{any_folder.TABLE_NAME}"
    found = list_photos(first)
    stamps = {file.address: (file.num_bytes, file.changed_ns) for file in found}
    if any_folder.TABLE_NAME in Folder(first).list_names():
        return FoundPhotos(_read_remote_table(table), stamps)
    if not found:
        raise DataError(f"There is no photo in {hide_secrets(first)!r}.")
    return FoundPhotos([Example(file.address, "") for file in found], stamps)


def _read_remote_table(address: str) -> list[Example]:
    contents, problem = read_photo_anywhere(address)
    if problem:
        raise DataError(f"{hide_secrets(address)!r} cannot be read: {problem}.")
    with read_to_temporary(address, contents) as folder:
        table = next(Path(folder).iterdir())
        examples, notes = read_photo_table(table, address.partition("?")[0].rpartition("/")[0])
    return _tell(examples, notes)


def _tell(examples: list[Example], notes: list[str]) -> list[Example]:
    for note in notes:
        echo(f"data: {note}")
    return examples
