"""SQL of rows: reading, writing and listing them."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from handnet.gallery.stores.rows import Layout, Row

# SQLite's limit on the parameters of one statement is 32,766.
_MAX_PARAMETERS = 10_000


def select(layout: Layout) -> str:
    """Return the query of all rows of a table."""
    return f"SELECT {', '.join(layout.columns)} FROM {layout.table}"


def put(connection: sqlite3.Connection, layout: Layout, row: Row) -> None:
    """Insert a row or change it in place (REPLACE would delete it first, and with it what refers to it)."""
    key, *others = layout.columns
    updates = ", ".join(f"{name} = excluded.{name}" for name in others)
    places = ", ".join("?" * len(layout.columns))
    connection.execute(
        f"INSERT INTO {layout.table} ({', '.join(layout.columns)}) VALUES ({places}) "
        f"ON CONFLICT ({key}) DO UPDATE SET {updates}",
        row,
    )


def select_in(connection: sqlite3.Connection, query: str, values: Sequence[str], order: str = "") -> Iterator[Any]:
    """Yield the rows of a query that ends with a column's name, where the column has one of these values."""
    for start in range(0, len(values), _MAX_PARAMETERS):
        block = values[start : start + _MAX_PARAMETERS]
        yield from connection.execute(f"{query} IN ({', '.join('?' * len(block))}) {order}", block)


def list_values(connection: sqlite3.Connection, whose: str, person: str) -> Iterator[bytes]:
    """Yield what is stored of a person (`whose` is "=") or of everybody else ("<>")."""
    for query in (
        f"SELECT name_key, name FROM people WHERE id {whose} ?",
        f"SELECT id, digest_key, digest, vector FROM photos WHERE person {whose} ?",
        f"SELECT contents FROM pictures WHERE photo IN (SELECT id FROM photos WHERE person {whose} ?)",
    ):
        for row in connection.execute(query, (person,)):
            yield from (value if isinstance(value, bytes) else value.encode() for value in row)
