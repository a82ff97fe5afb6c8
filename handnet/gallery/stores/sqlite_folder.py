"""The folder of an embedded gallery: it appears with its file whole, or not at all."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from handnet.errors import DiskError, GalleryError
from handnet.files import new_folder
from handnet.gallery.protection import Codec
from handnet.gallery.records import Header
from handnet.gallery.stores.schema import migrate_schema
from handnet.gallery.stores.sqlite_connections import FILE_NAME, configure


@contextmanager
def new_gallery_folder(folder: Path) -> Iterator[Path]:
    """Give a folder, readable by its owner alone, that becomes `folder`, or vanishes where something fails.

    Raises:
        GalleryError: something lies there already.
        DiskError: it cannot be written.
    """
    if os.path.lexists(folder):
        raise GalleryError(f"{str(folder)!r} exists already. Give another name, or remove it first.")
    with new_folder(folder, private=True) as inside:
        try:
            yield inside
        except sqlite3.OperationalError as error:
            raise DiskError(f"Cannot write {str(folder)!r}: {error}. Is the disk full?") from error
    sync(folder.absolute().parent)


def write_empty(folder: Path, header: Header) -> None:
    """Write the file of a gallery with nobody in it.

    Args:
        folder: empty.
        header: of the collection.
    """
    connection = sqlite3.connect(create_file(folder), isolation_level=None)
    try:
        configure(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        migrate_schema(connection, 0)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO state VALUES (1, 0, 0)")
        put_header(connection, header)
        connection.execute("COMMIT")
    finally:
        connection.close()


def put_header(connection: sqlite3.Connection, header: Header) -> None:
    """Write a header, in the connection's transaction."""
    body = header.to_json()
    connection.execute("INSERT OR REPLACE INTO header VALUES (1, ?, ?)", (body, sum_header(body)))


def sum_header(body: str) -> bytes:
    """Return a header's checksum: without the key, which only the header tells how to use."""
    return Codec(0).sum_row(body.encode())


def create_file(folder: Path) -> Path:
    """Make the empty file with its mode; SQLite gives the files next to it the same."""
    file = folder / FILE_NAME
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return file


def remove_gallery_folder(folder: Path) -> None:
    """Remove a gallery's file, and its folder unless something else lies there.

    Raises:
        DiskError: the folder cannot be written.
    """
    try:
        (folder / FILE_NAME).unlink()
    except OSError as error:
        raise DiskError(f"Cannot delete the gallery {str(folder)!r}: {error.strerror}. Nothing was deleted.") from error
    with suppress(OSError):
        # Not empty, e.g. API keys; or it is not ours to remove.
        folder.rmdir()
    sync(folder.absolute().parent)


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
