"""Any data set of one folder for each person or class, with a table of labels or without."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from handnet.data.dataset import PHOTO_SUFFIXES, DataSet
from handnet.data.example import SIDES, VIEWS, Example
from handnet.data.table import read_table
from handnet.errors import DataError, count_and_name, format_unknown, name_few, printable

TABLE_NAME = "labels.csv"
LAYOUT = (
    "Expected layout: DIR/PERSON/photo.jpg, one folder for each person or class, photos at any depth in it; and, if "
    f"you like, DIR/{TABLE_NAME} with the column path and any of identity, view, side"
)
_LABELS = ("path", "identity", "view", "side")


def read_folder(directory: Path) -> DataSet:
    """Read a tree of one folder for each person or class, or the table `labels.csv` in it.

    Without the table every photo is a row, its identity is the name of the outermost folder, and there are no views.
    With it the rows are the table's: `path` is the photo's, relative to the directory; `identity` is the outermost
    folder's name where that column is missing; `view` is dorsal, palmar or blank; `side` is left, right or blank; all
    other columns become attributes. Links are followed, as in `read_hands11k`.

    Args:
        directory: the folder.

    Returns:
        Photos sorted by path, or in the table's order.

    Raises:
        DataError: missing folder, no photo, or a table with a malformed row or a path that leaves the folder.
    """
    directory = Path(directory).absolute()
    if not directory.is_dir():
        raise DataError(f"There is no folder {directory}. {LAYOUT}.")
    present, problems = _list_photos(directory)
    if (directory / TABLE_NAME).is_file():
        rows, of_table = _read_rows(directory, directory / TABLE_NAME)
        examples = [row for row in rows if row.path in present]
        if missing := [os.path.relpath(row.path, directory) for row in rows if row.path not in present]:
            of_table.append(f"{len(missing):,} of {len(rows):,} rows have no file ({name_few(missing)}).")
        if without_row := sorted(present.keys() - {row.path for row in rows}):
            names = [os.path.relpath(path, directory) for path in without_row]
            of_table.append(f"{count_and_name(names, 'photo', 'photos')} without a row in {TABLE_NAME}, left out.")
        problems = of_table + problems
    else:
        rows = [Example(path, identity) for path, identity in present.items() if identity]
        examples = rows
        if loose := [Path(path).name for path, identity in present.items() if not identity]:
            problems.insert(0, f"{count_and_name(loose, 'photo', 'photos')} in no person's folder, left out.")
    if not examples:
        raise DataError(f"There is no photo to use in {directory}. {' '.join([*problems, LAYOUT])}.")
    return DataSet("folder", str(directory), examples, rows, tuple(problems))


def _list_photos(directory: Path) -> tuple[dict[str, str], list[str]]:
    """Return path -> outermost folder's name ("" for none) of every photo, and what is there besides."""
    photos: dict[str, str] = {}
    other: list[str] = []
    empty: list[str] = []
    for entry in _scan(directory):
        if entry.is_dir():
            files = list(_walk(Path(entry.path), {os.path.realpath(directory)}))
            found = [path for path in files if path.lower().endswith(PHOTO_SUFFIXES)]
            photos.update(dict.fromkeys(found, entry.name))
            other += [os.path.relpath(path, directory) for path in files if path not in photos]
            empty += [] if found else [entry.name]
        elif entry.is_file() and entry.name.lower().endswith(PHOTO_SUFFIXES):
            photos[entry.path] = ""
    problems = [f"{count_and_name(empty, 'folder', 'folders')} without a photo."] if empty else []
    if other:
        kinds = ", ".join(suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES)
        problems.append(f"{count_and_name(other, 'file', 'files')} of another kind than {kinds}, left out.")
    return photos, problems


def _walk(folder: Path, visited: set[str]) -> Iterator[str]:
    """Yield the files below a folder in sorted order; links are followed, a folder is entered once."""
    real = os.path.realpath(folder)
    if real in visited:
        return
    visited.add(real)
    for entry in _scan(folder):
        if entry.is_dir():
            yield from _walk(Path(entry.path), visited)
        elif entry.is_file():
            yield entry.path


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"Cannot read the folder {printable(str(folder))}: {error.strerror}.") from error


def _read_rows(directory: Path, table: Path) -> tuple[list[Example], list[str]]:
    rows: list[Example] = []
    nobody: list[str] = []
    lines: dict[str, int] = {}
    for line, cells in read_table(table, ("path",)):
        name = cells["path"].strip()
        relative = PurePosixPath(name)
        if not relative.parts or relative.is_absolute() or ".." in relative.parts or "\\" in name or "\0" in name:
            raise DataError(
                f"{table}, line {line}: path must be relative, with / between folders, and stay within the folder. "
                f"Received: {printable(name)!r}."
            )
        path = str(directory / relative)
        if path in lines:
            raise DataError(f"{table}, line {line}: {printable(name)} is in line {lines[path]} too. Expected one row.")
        lines[path] = line
        view = _choose(table, line, "view", cells, VIEWS)
        side = _choose(table, line, "side", cells, SIDES)
        identity = cells.get("identity", relative.parts[0] if len(relative.parts) > 1 else "").strip()
        if not identity:
            nobody.append(f"line {line}")
            continue
        attributes = {key: value.strip() for key, value in cells.items() if key not in _LABELS}
        rows.append(Example(path, identity, view, side, attributes))
    problems = (
        [f"{count_and_name(nobody, 'row', 'rows')} of {TABLE_NAME} without an identity, left out."] if nobody else []
    )
    return rows, problems


def _choose(table: Path, line: int, column: str, cells: dict[str, str], valid: tuple[str, ...]) -> str:
    value = cells.get(column, "").strip().lower()
    if value and value not in valid:
        raise DataError(f"{table}, line {line}: {format_unknown(column, printable(value), valid)}")
    return value
