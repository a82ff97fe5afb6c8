"""SQLite connections of one gallery's file: one for each thread, their settings, and their errors in words."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handnet.errors import DiskError, GalleryError

FILE_NAME = "gallery.sqlite"
BUSY_TIMEOUT_S = 30.0


class Connections:
    """Connections to the file of a gallery."""

    def __init__(self, folder: Path, busy_timeout_s: float) -> None:
        """Look for the file; nothing is opened yet.

        Args:
            folder: of the gallery.
            busy_timeout_s: how long to wait for another writer.

        Raises:
            GalleryError: there is no gallery, or it may not be read.
        """
        self._location, self._file = str(folder), folder / FILE_NAME
        self._busy_timeout_s = busy_timeout_s
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        try:
            is_there = self._file.is_file()
        except OSError as error:
            raise GalleryError(
                f"Cannot read the gallery {str(folder)!r}: {error.strerror}. A gallery is its owner's alone."
            ) from None
        if not is_there:
            raise GalleryError(f"There is no gallery in {str(folder)!r}. Make one with handnet gallery create.")
        self._writable = os.access(folder, os.W_OK | os.X_OK) and os.access(self._file, os.W_OK)

    def connect(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open_connection()
            with self._guard:
                self._connections.append(connection)
            self._local.connection = connection
        return connection

    def _open_connection(self) -> sqlite3.Connection:
        log = Path(f"{self._file}-wal")
        if self._writable:
            mode = "mode=rw"
        elif log.exists() and log.stat().st_size:
            # What the log holds must be read too, which takes the index that its writer left.
            mode = "mode=ro"
        else:
            # Nobody can write in the folder, nor make the index of a log there.
            mode = "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"{self._file.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            # Each thread uses its own; `close` closes all.
            check_same_thread=False,
        )
        configure(connection)
        return connection

    def close(self) -> None:
        """Close the connections of all threads; the last process to close empties the write-ahead log."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn SQLite's errors into errors that say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error) -> DiskError | GalleryError:
        name = getattr(error, "sqlite_errorname", "") or ""
        where = f"the gallery {self._location!r}"
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return GalleryError(
                f"Another process has been writing in {where} for {self._busy_timeout_s:g} s. Wait for it, then repeat."
            )
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            return DiskError(f"Cannot write {where}: {error}. Nothing was changed. Is the disk full?")
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return DiskError(f"Cannot write {where}: {error}. Nothing was changed. Give a folder that can be written.")
        return GalleryError(f"The gallery {self._location!r} is damaged: {error}. Restore it from a backup.")


def configure(connection: sqlite3.Connection) -> None:
    """Make a connection durable, and careful with what it deletes."""
    for setting in (
        # An acknowledged change survives a power cut too.
        "synchronous = FULL",
        "secure_delete = ON",
        "foreign_keys = ON",
        # Sorting and VACUUM would otherwise leave vectors in the system's temporary folder.
        "temp_store = MEMORY",
        "trusted_schema = OFF",
        "cell_size_check = ON",
    ):
        connection.execute(f"PRAGMA {setting}")


def roll_back(connection: sqlite3.Connection) -> None:
    """Leave a transaction, if there is one."""
    # After a full disk SQLite may have rolled back by itself.
    if connection.in_transaction:
        connection.execute("ROLLBACK")
