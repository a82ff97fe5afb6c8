"""Whom to enrol: a folder for each person, or a table."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from handnet.data.example import SIDES, VIEWS
from handnet.data.readers.folder import read_folder
from handnet.data.table import read_table
from handnet.errors import DataError, format_unknown
from handnet.gallery.enrolment import Entry

_WORDS = re.compile(r"[^a-z]+")


class Entries(NamedTuple):
    """Photos by person.

    Attributes:
        people: name → photos, in the order in which they were found.
        problems: what was left out, in words.
    """

    people: dict[str, list[Entry]]
    problems: Sequence[str]


def read_entries(source: Path, view: str = "", side: str = "") -> Entries:
    """Read whom to enrol from a folder or a table.

    A folder holds a folder for each person; words in the names of the folders and files below it say view and side, as in
    `Ada/left palmar/1.jpg`; a `labels.csv` in it counts for more. A table has the columns `path` (relative to the table) and
    `identity`, and if known `view` and `side`.

    Args:
        source: a folder or a .csv file.
        view: of photos that do not say it themselves, or "".
        side: likewise.

    Raises:
        DataError: there is no photo, or the table is malformed.
    """
    if source.is_dir():
        dataset = read_folder(source)
        rows = []
        for example in dataset.examples:
            words = set(_WORDS.split(str(Path(example.path).relative_to(source.absolute())).lower()))
            named = [example.view or _find_word(words, VIEWS), example.side or _find_word(words, SIDES)]
            rows.append((example.identity, Entry(Path(example.path), named[0] or view, named[1] or side)))
        return Entries(_group(rows), dataset.problems)
    if source.suffix.lower() != ".csv":
        raise DataError(f"Expected a folder of people, or a .csv table. Received: {str(source)!r}.")
    return Entries(_group(_read_rows(source, view, side)), ())


def _read_rows(table: Path, view: str, side: str) -> list[tuple[str, Entry]]:
    rows = []
    for line, cells in read_table(table, ("path", "identity")):
        relative = PurePosixPath(cells["path"].strip())
        if not relative.parts or relative.is_absolute() or ".." in relative.parts:
            raise DataError(
                f"{table}, line {line}: path must be relative and stay within the table's folder. Received: {str(relative)!r}."
            )
        identity = cells["identity"].strip()
        if not identity:
            raise DataError(f"{table}, line {line}: identity is blank. Expected the person's name.")
        named = []
        for column, valid, default in (("view", VIEWS, view), ("side", SIDES, side)):
            value = cells.get(column, "").strip().lower()
            if value and value not in valid:
                raise DataError(f"{table}, line {line}: {format_unknown(column, value[:60], valid)}")
            named.append(value or default)
        rows.append((identity, Entry(table.parent / relative, named[0], named[1])))
    if not rows:
        raise DataError(f"{table} has no rows. Expected a photo in each.")
    return rows


def _find_word(words: set[str], valid: Sequence[str]) -> str:
    found = [word for word in valid if word in words]
    return found[0] if len(found) == 1 else ""


def _group(rows: Sequence[tuple[str, Entry]]) -> dict[str, list[Entry]]:
    people: dict[str, list[Entry]] = {}
    for name, entry in rows:
        people.setdefault(name, []).append(entry)
    return people
