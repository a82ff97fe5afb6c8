"""Tables of text, as people and spreadsheets write them, with every mistake named by file and line."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from handnet.errors import DataError, printable

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_HOW_TO_SAVE = "Save it as CSV UTF-8 (in a spreadsheet: Save as, file type CSV UTF-8)"
# What pandas, R and spreadsheets write for a cell that has no value.
_MISSING = {"", "nan", "<na>", "#n/a", "n/a", "null", "none", "#value!", "#ref!", "#name?", "nat"}
# A file of these bytes is a spreadsheet's own and no text, under any name.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def read_table(
    path: Path, required: Sequence[str], synonyms: Mapping[str, Sequence[str]] | None = None
) -> list[tuple[int, dict[str, str]]]:
    """Read a table with a header; blank lines, and columns without a name or a value, are passed over.

    Cells are separated by commas, semicolons or tabs, whichever gives the columns. The text is UTF-8, or UTF-16 with a
    byte order mark. Columns are known in any case, and with spaces, hyphens or underscores in their names.

    Args:
        path: the file.
        required: columns that must be there; others may be, in any order.
        synonyms: column -> other names for it, which count where no column has its own name. Optional columns that are to
            be known in any case are listed too, with no other name.

    Returns:
        (number of its first line in the file, column -> cell) of each row. Columns in `required` and `synonyms` have the
        names that they have there, others those of the file, stripped of spaces. Cells are as they are.

    Raises:
        DataError: the file cannot be read, is no such table, lacks a column or has one twice, a row is of another
            length than the header, or a quotation mark stands open.
    """
    text = _read_text(path)
    names = {**dict.fromkeys(required, ()), **(synonyms or {})}
    separator, skipped = _find_separator(text, names)
    rows = _split_rows(path, text, separator, skipped)
    _, cells = next(rows, (1, []))
    header = _name_columns(path, cells, required, names)
    return [(line, row) for line, cells in rows if (row := _label_cells(path, line, header, cells))]


def is_missing(text: str) -> bool:
    """Return whether a cell is empty, or holds what a program writes where there is no value, e.g. "NaN"."""
    return text.strip().casefold() in _MISSING


def _read_text(path: Path) -> str:
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    if contents.startswith(_WORKBOOKS):
        raise DataError(f"{path} is a file of a spreadsheet program. Expected a table of text. {_HOW_TO_SAVE}.")
    utf16 = contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # UTF-16 without its mark; of a single zero byte the reader decides.
    if not utf16 and 4 * contents.count(0) > len(contents):
        raise DataError(f"{path} is not a table of comma-separated text: it is full of zero bytes. {_HOW_TO_SAVE}.")
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        text = contents.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = contents[: error.start].count(b"\n") + 1
        where = "" if utf16 else f", first in line {line}"
        raise DataError(
            f"{path} is not a table of comma-separated text in UTF-8{where} ({error.reason}). A table in another encoding, "
            f"e.g. ANSI, cannot be read reliably. {_HOW_TO_SAVE}."
        ) from error
    return text


def _find_separator(text: str, names: Mapping[str, Sequence[str]]) -> tuple[str, int]:
    """Return the separator that gives the most known columns, and how many lines go before the header."""
    lines = text.lstrip("\r\n").splitlines()
    first = lines[0] if lines else ""
    # So spreadsheets note the separator for each other.
    if noted := re.fullmatch(r'"?sep=(.)"?', first.strip(" \r\n"), re.IGNORECASE):
        return noted[1], 1
    known = {_simplify(name) for column, others in names.items() for name in (column, *others)}

    def count(separator: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in first.split(separator)]
        return sum(_simplify(cell) in known for cell in cells), len(cells)

    return max(SEPARATORS, key=count), 0


def _split_rows(path: Path, text: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line's number and the cells of each row that is not blank, the header first."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    width = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if reader.line_num > line or "unexpected end" in str(error):
                raise _open_quotation(path, line, reader.line_num) from error
            raise DataError(
                f"{path} is not a table of comma-separated text: line {line}: {error}. A quotation mark there is not closed, "
                "or stands inside a cell: write it twice."
            ) from error
        if cells is None:
            return
        if line <= skipped or not any(cell.strip() for cell in cells):
            continue
        width = width or len(cells)
        # A cell may hold line breaks; a cell that holds whole rows began with a quotation mark that was never closed.
        if any(inner.count(separator) >= max(1, width - 1) for cell in cells for inner in cell.splitlines()[1:]):
            raise _open_quotation(path, line, reader.line_num)
        yield line, cells


def _open_quotation(path: Path, first: int, last: int) -> DataError:
    return DataError(
        f"{path}, line {first}: a quotation mark is opened and not closed in this row; the text up to line {last} would be "
        "one cell. Close it, or remove it."
    )


def _name_columns(
    path: Path, cells: list[str], required: Sequence[str], names: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return the name of each column: one of `names` where it is known, "" where it has none."""
    header = [unicodedata.normalize("NFC", cell.strip()) for cell in cells]
    if not any(header):
        raise DataError(f"{path} is empty. Expected a header with the columns {', '.join(required)}.")
    received = printable(", ".join(header[:12]))
    for column, synonyms in names.items():
        same = [k for k, cell in enumerate(header) if _simplify(cell) == _simplify(column)]
        same = same or [k for k, cell in enumerate(header) if _simplify(cell) in set(map(_simplify, synonyms))]
        if len(same) > 1:
            given = " and ".join(repr(printable(cells[k].strip())) for k in same)
            number = "twice" if len({header[k] for k in same}) == 1 else f"more than once: {given}"
            raise DataError(f"{path} has the column {column!r} {number}. Keep one, or give the others another name.")
        for k in same:
            header[k] = column
    lacking = [column for column in required if column not in header]
    if lacking:
        known = "; ".join(f"{column}: {', '.join(names[column])}" for column in lacking if names[column])
        raise DataError(
            f"{path} lacks the column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}. Received: {received}."
            + (f" Other names that are understood: {known}." if known else "")
        )
    if twice := sorted({column for column in header if column and header.count(column) > 1}):
        raise DataError(f"{path} has the column {printable(twice[0])!r} twice.")
    return header


def _label_cells(path: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    surplus = [cell for cell in cells[len(header) :] if cell.strip()]
    if len(cells) < len(header) or surplus:
        raise DataError(
            f"{path}, line {line}: expected {len(header)} cells. Received: {len(cells)}. A cell that holds the separator "
            "must be in quotation marks."
        )
    for number, (name, cell) in enumerate(zip(header, cells, strict=False)):
        # pandas writes the row's number into a first column without a name.
        if not name and cell.strip() and not (number == 0 and cell.strip().isdecimal()):
            raise DataError(
                f"{path}, line {line}: the cell {printable(cell.strip()[:60])!r} is in column {number + 1}, which has no "
                "name in the header. Name the column; or put a cell that holds the separator in quotation marks."
            )
    return {name: cell for name, cell in zip(header, cells, strict=False) if name}


def _simplify(name: str) -> str:
    """Return a column's name without case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-]+", "", name).casefold()
