"""Any data set of one folder for each person or class, with a table of labels or without."""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from handnet.data.dataset import IDENTITY_COLUMNS, DataSet, has_views, normalise_identity
from handnet.data.example import SIDES, VIEWS, Example
from handnet.data.label_words import parse_hand_words, parse_part_word
from handnet.data.missing_labels import See, fill_missing
from handnet.data.photo_files import find_photos, index_names
from handnet.data.table import is_missing, read_table
from handnet.errors import DataError, count_and_name, format_unknown, name_few, printable

TABLE_NAME = "labels.csv"
LAYOUT = (
    "Expected layout: DIR/PERSON/photo.jpg, one folder for each person or class, photos at any depth in it; for hands "
    f"DIR/PERSON/dorsal/photo.jpg and DIR/PERSON/palmar/photo.jpg, or DIR/{TABLE_NAME} with the column path and any of "
    "identity, view, side"
)
_LABELS = ("path", "identity", "view", "side")
SYNONYMS = {
    "path": (
        "file",
        "file_name",
        "file_path",
        "image",
        "image_name",
        "image_path",
        "photo",
        "photo_name",
        "photo_path",
    ),
    "identity": IDENTITY_COLUMNS,
    "view": ("aspect", "aspect_of_hand", "hand_view"),
    "side": ("hand_side", "handedness", "laterality"),
}
_TABLE_SUFFIXES = (".csv", ".tsv", ".xlsx", ".xls", ".ods")


class Place(NamedTuple):
    """What the folders of a photo say of it, "" for each thing that they leave open."""

    identity: str
    view: str
    side: str
    part: str


def read_folder(directory: Path, see: See | None = None) -> DataSet:
    """Read a tree of one folder for each person or class, or the table `labels.csv` in it.

    Without the table every photo is a row, and its folders are its labels. The person is the outermost folder; but where
    all outermost folders are named as parts of a split (train, val, test), as views (dorsal, palmar) or as sides, the person
    is the folder below. View and side are read from the names of all other folders of the photo; the part of the split
    becomes the attribute `split`.

    With the table the rows are the table's: `path` is the photo's, relative to the directory; `view` is dorsal or palmar;
    `side` is left, right or blank; all other columns become attributes. A column that is missing is read from the folders.
    Views and sides that are still missing are filled by what `see` sees in the photos, as `fill_missing` says. Where some photos
    have a view then, those without one cannot be matched: they are left out.

    Args:
        directory: the folder.
        see: tells which hand photos show; without it nothing is filled.

    Returns:
        Photos sorted by path, or in the table's order.

    Raises:
        DataError: missing folder, no photo, or a table with a malformed row or a path that leaves the folder.
    """
    directory = Path(directory).absolute()
    if not directory.is_dir():
        raise DataError(f"There is no folder {directory}. {LAYOUT}.")
    found = find_photos(directory)
    tables = _list_tables(directory)
    table = next((name for name in tables if name.casefold() == TABLE_NAME), None)
    notes: list[str] = []
    if table is not None:
        rows, nobody, problems = _read_rows(directory, directory / table, found.photos)
        examples = [row for row in rows if row.path in found.photos]
        if missing := [os.path.relpath(row.path, directory) for row in rows if row.path not in found.photos]:
            problems.append(f"{len(missing):,} of {len(rows):,} rows have no file ({name_few(missing)}).")
        if without_row := sorted(found.photos.keys() - {row.path for row in rows} - nobody):
            names = [os.path.relpath(path, directory) for path in without_row]
            problems.append(f"{count_and_name(names, 'photo', 'photos')} without a row in {table}, left out.")
    else:
        places = read_places(found.photos.values())
        labelled = [(path, places[folders]) for path, folders in found.photos.items()]
        rows = [_label(path, place) for path, place in labelled if place.identity]
        examples, problems = rows, []
        if loose := [os.path.relpath(path, directory) for path, place in labelled if not place.identity]:
            problems.append(f"{count_and_name(loose, 'photo', 'photos')} in no person's folder, left out.")
        notes += _describe_places(found.photos.values(), places)
        if tables:
            notes.append(f"{name_few(tables)} is not read: the table of labels must be called {TABLE_NAME}.")
    if see is not None:
        examples, filled = fill_missing(examples, see)
        known = {example.path: example for example in examples}
        rows = [known.get(row.path, row) for row in rows]
        notes += filled
    if has_views(rows):
        if unseen := [os.path.relpath(example.path, directory) for example in examples if not example.view]:
            problems.append(
                f"{count_and_name(unseen, 'photo', 'photos')} without a view, dorsal or palmar, left out: only photos with "
                "one can be matched."
            )
        examples = [example for example in examples if example.view]
    elif examples:
        where = f"no column view in {table}" if table else f"no {TABLE_NAME}"
        notes.append(
            f"the photos have no views ({where}, and no folders named dorsal and palmar): the photos of a person are matched "
            "with one another."
        )
    problems += found.describe()
    if not examples:
        raise DataError(f"There is no photo to use in {directory}. {' '.join([*problems, *notes, LAYOUT])}.")
    return DataSet("folder", str(directory), examples, rows, tuple(problems), notes=tuple(notes))


def read_places(folders: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Place]:
    """Read the labels of photos from their folders.

    Args:
        folders: for each photo the names of its folders, the outermost first.

    Returns:
        Folders -> what they say.
    """
    kinds = set(folders)
    depth = _count_label_levels(kinds)
    return {names: _read_place(names, depth) for names in kinds}


def _count_label_levels(kinds: Collection[tuple[str, ...]]) -> int:
    """Return how many of the outermost levels of folders hold parts of a split, views or sides, and not people."""
    depth = 0
    while any(len(names) > depth + 1 for names in kinds):
        level = {names[depth] for names in kinds if len(names) > depth}
        if not all(parse_part_word(name) or parse_hand_words(name) for name in level):
            break
        depth += 1
    return depth


def _read_place(names: tuple[str, ...], depth: int) -> Place:
    words = [found for name in (*names[:depth], *names[depth + 1 :]) if (found := parse_hand_words(name))]
    views, sides = {view for view, _ in words if view}, {side for _, side in words if side}
    part = next((word for name in names[:depth] if (word := parse_part_word(name))), "")
    return Place(
        normalise_identity(names[depth]) if len(names) > depth else "",
        # Folders that contradict each other say nothing.
        views.pop() if len(views) == 1 else "",
        sides.pop() if len(sides) == 1 else "",
        part,
    )


def _describe_places(folders: Iterable[tuple[str, ...]], places: dict[tuple[str, ...], Place]) -> list[str]:
    kinds = list(dict.fromkeys(folders))
    notes = []
    if parts := list(dict.fromkeys(names[0] for names in kinds if places[names].part)):
        notes.append(
            f"the folders {name_few(parts)} are parts of a split, not people. To use them: data.split=column (and "
            "data.split_options.by=photo where people are in several)."
        )
    if any(places[names].view for names in kinds):
        sides = " and sides" if any(places[names].side for names in kinds) else ""
        notes.append(f"views{sides} are read from the names of folders.")
    return notes


def _label(path: str, place: Place) -> Example:
    attributes = {"split": place.part} if place.part else {}
    return Example(path, place.identity, place.view, place.side, attributes)


def _list_tables(directory: Path) -> list[str]:
    names = [path.name for path in directory.iterdir() if path.suffix.lower() in _TABLE_SUFFIXES and path.is_file()]
    # Of labels.csv and Labels.csv the first is meant.
    return sorted((name for name in names if not name.startswith(".")), key=lambda name: (name != TABLE_NAME, name))


def _read_rows(directory: Path, table: Path, present: Collection[str]) -> tuple[list[Example], set[str], list[str]]:
    """Return the rows of people, the paths of nobody's, and a line for each kind of thing that was left out."""
    rows: list[Example] = []
    nobody: dict[str, str] = {}
    lines: dict[str, int] = {}
    find_name = index_names(present)
    cells_of = read_table(table, ("path",), SYNONYMS)
    parsed = [(line, cells, check_relative(table, line, cells["path"])) for line, cells in cells_of]
    places = read_places(relative.parts[:-1] for _, _, relative in parsed)
    for line, cells, relative in parsed:
        path = find_name(str(directory / relative))
        if path in lines:
            name = printable(cells["path"].strip())
            raise DataError(f"{table}, line {line}: {name} is in line {lines[path]} too. Expected one row.")
        lines[path] = line
        row = label_row(table, line, cells, path, places[relative.parts[:-1]])
        if is_missing(row.identity):
            nobody[path] = f"line {line}"
            continue
        rows.append(row)
    if not nobody:
        return rows, set(), []
    left_out = count_and_name(list(nobody.values()), "row", "rows")
    return rows, set(nobody), [f"{left_out} of {table.name} without an identity, left out."]


def label_row(table: Path, line: int, cells: Mapping[str, str], path: str, place: Place) -> Example:
    """Return the photo of one row of a table of labels.

    Args:
        table: the file, for messages.
        line: the row's line in it.
        cells: column -> cell, as `read_table` gives them for `SYNONYMS`.
        path: where the photo lies.
        place: what its folders say; the table's own columns come before it.

    Raises:
        DataError: a view or side that is none.
    """
    if "view" in cells:
        place = place._replace(view=_choose(table, line, "view", cells["view"], VIEWS))
        # A cell such as "dorsal left" says both.
        place = place._replace(side=(parse_hand_words(cells["view"]) or ("", ""))[1] or place.side)
    if "side" in cells:
        place = place._replace(side=_choose(table, line, "side", cells["side"], SIDES))
    if "identity" in cells:
        place = place._replace(identity=normalise_identity(cells["identity"]))
    row = _label(path, place)
    attributes = {key: value.strip() for key, value in cells.items() if key not in _LABELS}
    return replace(row, attributes={**row.attributes, **attributes})


def check_relative(table: Path, line: int, cell: str) -> PurePosixPath:
    """Return the path of a photo that a row names; DataError where it leaves the folder of the table."""
    name = cell.strip()
    relative = PurePosixPath(name)
    if not relative.parts or relative.is_absolute() or ".." in relative.parts or "\\" in name or "\0" in name:
        raise DataError(
            f"{table}, line {line}: path must be relative, with / between folders, and stay within the folder. "
            f"Received: {printable(name)!r}."
        )
    return relative


def _choose(table: Path, line: int, column: str, cell: str, valid: tuple[str, ...]) -> str:
    if is_missing(cell):
        return ""
    view, side = parse_hand_words(cell) or ("", "")
    value = view if column == "view" else side
    if value not in valid:
        raise DataError(f"{table}, line {line}: {format_unknown(column, printable(cell.strip()), valid)}")
    return value
