"""The official layout of 11k Hands: HandInfo.csv next to a folder Hands/ of photos."""

from dataclasses import dataclass, field
from pathlib import Path

from handnet.data.dataset import IDENTITY_COLUMNS, DataSet, normalise_identity
from handnet.data.example import Example
from handnet.data.label_words import parse_hand_words
from handnet.data.photo_files import FoundPhotos, check_folder_name, index_names, is_photo, scan_folder
from handnet.data.table import is_missing, read_table
from handnet.errors import DataError, count_and_name, printable

TABLE_NAME = "HandInfo.csv"
PHOTO_FOLDER = "Hands"
REQUIRED_COLUMNS = ("id", "aspectOfHand", "imageName")
_OTHER_READER = (
    " If your photos lie in one folder for each person, give --reader folder to handnet data check and handnet train (the "
    "setting data.reader); a trained run reads other data with the reader that it was trained with."
)
_SYNONYMS = {
    "id": ("identity", *(name for name in IDENTITY_COLUMNS if name != "id")),
    "aspectOfHand": ("aspect", "view"),
    "imageName": ("image", "file", "file_name", "photo", "photo_name", "path"),
    # Known in any case, so that figures for each of their values find them.
    **dict.fromkeys(("age", "gender", "skinColor", "accessories", "nailPolish", "irregularities"), ()),
}
WHERE_TO_GET = (
    "11k Hands can be downloaded from https://sites.google.com/view/11khands; expected layout: DIR/HandInfo.csv and "
    "DIR/Hands/Hand_0000002.jpg and so on"
)


def read_hands11k(directory: Path) -> DataSet:
    """Read the table of 11k Hands, or of any data set in its layout, and match it with the photos on disk.

    Links to photos are followed to any place, since data sets are commonly kept as links into a store. Only regular
    files count, so that no pipe or device is ever opened.

    Args:
        directory: the folder with HandInfo.csv and Hands/.

    Returns:
        Photos in file order. `rows` also holds the rows without a file, because the published split shuffles the
        people of the complete table. Columns other than the id, the aspect and the file name become attributes,
        as text, under their own names.

    Raises:
        DataError: missing folder or table, a table that is empty, malformed or lacks a column, a file name that leaves
            the photo folder or stands for two different photos, or no photo at all.
    """
    directory = Path(directory)
    table = _find_table(directory)
    photo_folder = directory.absolute() / PHOTO_FOLDER
    present, found = _list_photos(photo_folder)
    sorted_rows = _sort_rows(table, photo_folder, present)
    rows = sorted_rows.rows
    if not rows:
        raise DataError(f"{table} has a header and no rows. Expected one row for each photo.")
    if not sorted_rows.examples:
        raise DataError(
            f"None of the {len(rows):,} rows of {table} has a usable photo in {photo_folder}. Expected for example "
            f"{printable(Path(rows[0].path).name)} there. {WHERE_TO_GET}."
        )
    problems = (*_describe_problems(sorted_rows, present), *found.describe())
    notes = []
    if missing := sorted_rows.missing:
        notes.append(
            f"{len(rows) - len(missing):,} of the {len(rows):,} rows have a photo in {PHOTO_FOLDER}/. The rest, "
            f"{count_and_name(missing, 'row', 'rows')}, matters only where a split is made of the whole table."
        )
    return DataSet("hands11k", str(directory.absolute()), sorted_rows.examples, rows, problems, notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _SortedRows:
    """The rows of the table.

    Attributes:
        rows: those of a person, each photo once.
        examples: of these, those whose photo can be used.
        lines: name of a photo → the line of its row, and the row.
        missing: names without a file.
        unknown_aspect: names and aspects that are not understood.
        incomplete: lines without an id or a name → the name, "" where it lacks.
        repeated: names in more than one row.
    """

    rows: list[Example] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    lines: dict[str, tuple[int, Example]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unknown_aspect: list[str] = field(default_factory=list)
    incomplete: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)


def _sort_rows(table: Path, photo_folder: Path, present: set[str]) -> _SortedRows:
    """Read the table and match it with the names of the photos that are there."""
    found, find_name = _SortedRows(), index_names(present)
    for line, cells in read_table(table, REQUIRED_COLUMNS, _SYNONYMS):
        name = find_name(cells["imageName"].strip())
        identity = normalise_identity(cells["id"])
        if is_missing(identity):
            found.incomplete[f"line {line}"] = name
            continue
        view, side = _parse_aspect(cells["aspectOfHand"])
        attributes = {key: value.strip() for key, value in cells.items() if key not in REQUIRED_COLUMNS}
        _refuse_path(table, line, name)
        row = Example(str(photo_folder / name), identity, view, side, attributes)
        if name in found.lines:
            first_line, first = found.lines[name]
            if (first.identity, first.view, first.side) != (identity, view, side):
                raise DataError(
                    f"{table}: imageName {printable(name)} names two different photos, in line {first_line} and "
                    f"line {line}. Each photo must have one row."
                )
            found.repeated.append(name)
            continue
        found.rows.append(row)
        if not name:
            found.incomplete[f"line {line}"] = name
            continue
        found.lines[name] = (line, row)
        if not view:
            found.unknown_aspect.append(f"{name}: {cells['aspectOfHand']!r}")
        elif name not in present:
            found.missing.append(name)
        else:
            found.examples.append(row)
    return found


def _describe_problems(found: _SortedRows, present: set[str]) -> list[str]:
    """Return a line for each kind of row or photo that is left out."""
    problems = []
    if without_row := sorted(present - found.lines.keys() - set(found.incomplete.values())):
        problems.append(f"{count_and_name(without_row, 'photo', 'photos')} in {PHOTO_FOLDER}/ without a row, left out.")
    if found.unknown_aspect:
        problems.append(
            f"{count_and_name(found.unknown_aspect, 'row', 'rows')} of unknown aspectOfHand, left out. "
            'Expected "dorsal left", "dorsal right", "palmar left" or "palmar right".'
        )
    if found.incomplete:
        problems.append(
            f"{count_and_name(list(found.incomplete), 'row', 'rows')} without an id or imageName, left out."
        )
    if found.repeated:
        problems.append(f"{count_and_name(found.repeated, 'row', 'rows')} repeating an earlier row, left out.")
    return problems


def _find_table(directory: Path) -> Path:
    if not directory.exists():
        raise DataError(f"There is no folder {directory}. {WHERE_TO_GET}.")
    if not directory.is_dir():
        raise DataError(f"Expected a folder. Received the file {directory}. {WHERE_TO_GET}.")
    table = directory / TABLE_NAME
    if table.is_file():
        return table
    nearby = [*sorted(path.parent for path in directory.glob(f"*/{TABLE_NAME}")), directory.parent]
    hint = next((f" Did you mean {folder}?" for folder in nearby if (folder / TABLE_NAME).is_file()), "")
    raise DataError(f"There is no {TABLE_NAME} in {directory}.{hint or _OTHER_READER} {WHERE_TO_GET}.")


def _list_photos(folder: Path) -> tuple[set[str], FoundPhotos]:
    """Return the names of the photos in a folder, and what is passed over there."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {PHOTO_FOLDER} in {folder.parent}.{_OTHER_READER} {WHERE_TO_GET}.")
    check_folder_name(folder)
    found = FoundPhotos()
    names = {e.name for e, kind in scan_folder(folder, found, str(folder)) if kind == "file" and is_photo(e.name)}
    return names, found


def _parse_aspect(text: str) -> tuple[str, str]:
    """Return view and side; a row whose view is not clear has neither."""
    view, side = parse_hand_words(text) or ("", "")
    return (view, side) if view else ("", "")


def _refuse_path(table: Path, line: int, name: str) -> None:
    if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
        raise DataError(
            f"{table}, line {line}: imageName must be the plain name of a file in {PHOTO_FOLDER}/. "
            f"Received: {printable(name)}."
        )
