"""A table of photos that may lie anywhere: on this machine, in a bucket, on a web server."""

from pathlib import Path

from handnet.data.dataset import has_views
from handnet.data.example import Example
from handnet.data.readers.folder import SYNONYMS, Place, check_relative, label_row
from handnet.data.remote.addresses import check_address, hide_secrets, is_address
from handnet.data.table import is_missing, read_table
from handnet.errors import DataError, count_and_name

TABLE_SUFFIXES = (".csv", ".tsv")
_NO_PLACE = Place("", "", "", "")


def read_photo_table(table: Path, base: str) -> tuple[list[Example], list[str]]:
    """Read a table with a row for each photo; nothing is looked up, so the photos may be millions and far away.

    Columns as of `labels.csv`: `path`, and any of `identity`, `view`, `side`; others become attributes. A path is an address
    (s3://, gs://, https://, http://), or relative to the place of the table.

    Args:
        table: the file.
        base: the folder that relative paths start from, a path or an address.

    Returns:
        The photos in the order of the rows, and a line for each kind of rows that was left out.

    Raises:
        DataError: as `read_table`; an address that is not allowed, a path that leaves the folder, a photo named twice.
    """
    examples: list[Example] = []
    lines: dict[str, int] = {}
    for line, cells in read_table(table, ("path",), SYNONYMS):
        path = _find_place(table, line, cells["path"], base)
        if path in lines:
            raise DataError(
                f"{table.name}, line {line}: {hide_secrets(path)} is in line {lines[path]} too. Expected one row for each photo."
            )
        lines[path] = line
        example = label_row(table, line, cells, path, _NO_PLACE)
        examples.append(Example(path, "", "", "", {}) if is_missing(example.identity) else example)
    if not examples:
        raise DataError(f"There is no row in {table.name}. Expected the column path, and any of identity, view, side.")
    notes = []
    if any(example.identity for example in examples):
        nobody = [f"line {lines[example.path]}" for example in examples if not example.identity]
        examples = [example for example in examples if example.identity]
        notes += [f"{count_and_name(nobody, 'row', 'rows')} without an identity, left out."] if nobody else []
    if has_views(examples):
        unseen = [f"line {lines[example.path]}" for example in examples if not example.view]
        examples = [example for example in examples if example.view]
        notes += [f"{count_and_name(unseen, 'row', 'rows')} without a view, left out."] if unseen else []
    return examples, notes


def _find_place(table: Path, line: int, cell: str, base: str) -> str:
    name = cell.strip()
    if is_address(name):
        try:
            check_address(name)
        except DataError as error:
            raise DataError(f"{table.name}, line {line}: {error}") from None
        return name
    relative = check_relative(table, line, name)
    return f"{base.rstrip('/')}/{relative}" if is_address(base) else str(Path(base).absolute() / relative)
