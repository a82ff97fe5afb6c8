"""The tables of the embedded store, as numbered steps from an empty file to today's."""

import sqlite3
from collections.abc import Sequence

from handnet.errors import GalleryError

# "HNGL": by which other programs, and this one, know the file.
APPLICATION_ID = 0x484E474C

MIGRATIONS: Sequence[tuple[str, ...]] = (
    (
        # One row each, in tables of their own: the header is large and seldom changes.
        "CREATE TABLE header (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL, sum BLOB NOT NULL)",
        """CREATE TABLE state (
            only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, epoch INTEGER NOT NULL
        )""",
        """CREATE TABLE people (
            id TEXT PRIMARY KEY, name_key TEXT NOT NULL UNIQUE, name BLOB NOT NULL, created TEXT NOT NULL,
            version INTEGER NOT NULL, sum BLOB NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE photos (
            id TEXT PRIMARY KEY, person TEXT NOT NULL REFERENCES people (id), digest_key TEXT NOT NULL,
            digest BLOB NOT NULL, view TEXT NOT NULL, side TEXT NOT NULL, quality REAL NOT NULL,
            evidence TEXT NOT NULL, created TEXT NOT NULL, vector BLOB NOT NULL, sum BLOB NOT NULL
        )""",
        "CREATE INDEX photos_of_person ON photos (person)",
        "CREATE INDEX photos_of_digest ON photos (digest_key)",
        "CREATE INDEX people_by_version ON people (version)",
        "CREATE TABLE pictures (photo TEXT PRIMARY KEY REFERENCES photos (id), contents BLOB NOT NULL, sum BLOB NOT NULL)",
        """CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
            detail TEXT NOT NULL
        )""",
    ),
)


def read_schema_version(connection: sqlite3.Connection) -> int:
    """Return the number of steps that were applied to a gallery's file.

    Raises:
        GalleryError: a file of another program, or of a later version of this one.
    """
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION_ID:
        raise GalleryError("The file is an SQLite database, but not a gallery of handnet.")
    if version > len(MIGRATIONS):
        raise GalleryError(
            f"The gallery has schema {version}, and this handnet knows schemas up to {len(MIGRATIONS)}. "
            "Upgrade handnet: pip install --upgrade handnet."
        )
    return version


def migrate_schema(
    connection: sqlite3.Connection, applied: int, migrations: Sequence[tuple[str, ...]] | None = None
) -> None:
    """Apply the steps that a file still lacks, all of them or none.

    Args:
        connection: in autocommit mode.
        applied: how many steps the file has.
        migrations: all steps; None: MIGRATIONS.
    """
    steps = MIGRATIONS if migrations is None else migrations
    if applied >= len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[applied:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
