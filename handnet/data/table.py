"""Tables of comma-separated text, with every mistake named by file and line."""

import csv
from collections.abc import Sequence
from pathlib import Path

from handnet.errors import DataError, printable


def read_table(path: Path, required: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a table with a header; blank lines are passed over.

    Args:
        path: UTF-8 text, with a byte order mark or without.
        required: columns that must be there; others may be, in any order.

    Returns:
        (line number in the file, column -> cell) of each row. Columns' names are stripped of spaces, cells are as they
        are.

    Raises:
        DataError: the file cannot be read, is no such table, lacks a column or has one twice, or a row is of another
            length than the header.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [column.strip() for column in next(reader, [])]
            _check_header(path, header, required)
            rows = []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"{path}, line {reader.line_num}: expected {len(header)} cells. Received: {len(cells)}."
                    )
                rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
            return rows
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a table of comma-separated text ({error}).") from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error


def _check_header(path: Path, header: list[str], required: Sequence[str]) -> None:
    if not any(header):
        raise DataError(f"{path} is empty. Expected a header with the columns {', '.join(required)}.")
    lacking = [column for column in required if column not in header]
    if lacking:
        received = printable(", ".join(header[:12]))
        raise DataError(
            f"{path} lacks the column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}. Received: {received}."
        )
    if twice := sorted({column for column in header if header.count(column) > 1}):
        raise DataError(f"{path} has the column {printable(twice[0])!r} twice.")
