"""Whom to enrol: a folder for each person, or a table."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from handnet.data.example import SIDES, VIEWS
from handnet.data.readers.folder import read_folder
from handnet.data.readers.hands11k import read_hands11k
from handnet.data.table import read_table
from handnet.errors import DataError, format_unknown
from handnet.gallery.enrolment import Entry


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

    A folder is read as a data set is: a folder for each person, whose names of folders say view and side, e.g.
    `Ada/left palm/1.jpg`, or a `labels.csv` in it, or the `HandInfo.csv` of 11k Hands. A table elsewhere has the columns
    `path` (relative to the table) and `identity`, and if known `view` and `side`.

    Args:
        source: a folder or a .csv file.
        view: of photos that do not say it themselves, or "".
        side: likewise.

    Raises:
        DataError: there is no photo, or the table is malformed.
    """
    if os.path.isdir(source):
        # Read as a plain folder, everybody's photos would be those of one person called Hands.
        dataset = read_hands11k(source) if (source / "HandInfo.csv").is_file() else read_folder(source)
        rows = [
            (example.identity, Entry(Path(example.path), example.view or view, example.side or side))
            for example in dataset.examples
        ]
        return Entries(_group(rows), dataset.problems)
    if source.suffix.lower() != ".csv":
        raise DataError(f"Expected a folder of people, or a .csv table. Received: {str(source)!r}.")
    return Entries(_group(_read_rows(source, view, side)), ())


def _read_rows(table: Path, view: str, side: str) -> list[tuple[str, Entry]]:
    rows = []
    for line, cells in read_table(table, ("path", "identity"), {"view": (), "side": ()}):
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


def _group(rows: Sequence[tuple[str, Entry]]) -> dict[str, list[Entry]]:
    people: dict[str, list[Entry]] = {}
    for name, entry in rows:
        people.setdefault(name, []).append(entry)
    return people
