"""The embedded store: one SQLite file in a folder of its own, in write-ahead mode."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from handnet.errors import DiskError, GalleryError
from handnet.files import new_folder
from handnet.gallery.protection import Codec, Key
from handnet.gallery.records import AuditEntry, Header, Person, Photo, Vector
from handnet.gallery.stores.rows import PEOPLE, PHOTOS, PICTURES, Layout, Row, RowCodec
from handnet.gallery.stores.schema import MIGRATIONS, migrate_schema, read_schema_version
from handnet.gallery.stores.store import Changes, Group, Snapshot

FILE_NAME = "gallery.sqlite"
BUSY_TIMEOUT_S = 30.0
# SQLite's limit on the parameters of one statement is 32,766.
_MAX_PARAMETERS = 10_000
_SEARCH_BLOCK_BYTES = 1 << 24
_TRACE_BYTES, _MIN_TRACE_BYTES = 32, 8


class SqliteStore:
    """A collection in a folder. Several processes may have it open; one writes at a time, the others read meanwhile."""

    def __init__(
        self, folder: Path, key: Key | None = None, *, verify: bool = True, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open a collection.

        Args:
            folder: where it lies.
            key: its key where it is protected.
            verify: read every row and check it.
            busy_timeout_s: how long to wait for another writer.

        Raises:
            GalleryError: there is none, it is damaged, or the key is not its key.
        """
        self.location = str(folder)
        self.unsearched = ""
        self._folder, self._file = folder, folder / FILE_NAME
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
        try:
            with self._explaining():
                connection = self._connect()
                version = read_schema_version(connection)
                if version < len(MIGRATIONS):
                    migrate_schema(connection, version)
                self.header, self._epoch = self._read_header(connection)
            self._use(Codec(self.header.width, key, self.header.protection))
            if verify and (damage := self.check()):
                more = f" (and {len(damage) - 1:,} more)" if len(damage) > 1 else ""
                raise GalleryError(
                    f"The gallery {str(folder)!r} is damaged: {damage[0]}{more}. Restore it from a backup."
                )
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, folder: Path, header: Header, key: Key | None = None) -> "SqliteStore":
        """Make a new collection, whole or not at all, and open it.

        Raises:
            GalleryError: something lies there already.
            DiskError: the folder cannot be written.
        """
        with _new_folder(folder) as temporary:
            connection = sqlite3.connect(_create_file(temporary), isolation_level=None)
            try:
                _configure(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                migrate_schema(connection, 0)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO state VALUES (1, 0, 0)")
                _put_header(connection, header)
                connection.execute("COMMIT")
            finally:
                connection.close()
        return cls(folder, key)

    def read_version(self) -> int:
        """Return the collection's version."""
        with self._reading() as connection:
            return int(connection.execute("SELECT version FROM state").fetchone()[0])

    def read_since(self, version: int) -> Snapshot:
        """Return what changed after `version`; -1: everything."""
        with self._reading() as connection:
            now = int(connection.execute("SELECT version FROM state").fetchone()[0])
            ids = frozenset(row[0] for row in connection.execute("SELECT id FROM people"))
            rows = connection.execute(f"{_select(PEOPLE)} WHERE version > ?", (version,))
            people = [self._rows.open_person(row) for row in rows]
            photos = self._read_photos(connection, None if version < 0 else [person.id for person in people])
            return Snapshot(now, ids, people, photos)

    def find_person(self, name: str) -> Person | None:
        """Return the person of a name, in any case (upper or lower)."""
        with self._reading() as connection:
            key = (self._rows.key_name(name),)
            row = connection.execute(f"{_select(PEOPLE)} WHERE name_key = ?", key).fetchone()
            return self._rows.open_person(row) if row else None

    def read_photos(self, people: Collection[str]) -> list[Photo]:
        """Return the photos of some people, the oldest first."""
        with self._reading() as connection:
            return self._read_photos(connection, people)

    def find_photos(self, digests: Sequence[str]) -> list[Photo]:
        """Return the enrolled photos whose contents have one of these digests."""
        keys = [self._rows.key_digest(digest) for digest in digests]
        with self._reading() as connection:
            rows = _select_in(connection, f"{_select(PHOTOS)} WHERE digest_key", keys)
            return [self._rows.open_photo(row) for row in rows]

    def read_picture(self, photo: str) -> bytes | None:
        """Return the kept bytes of a photo, or None."""
        with self._reading() as connection:
            row = connection.execute(f"{_select(PICTURES)} WHERE photo = ?", (photo,)).fetchone()
            return None if row is None else self._rows.open_picture(row)

    def read_audit(self) -> list[AuditEntry]:
        """Return the log, the oldest first."""
        with self._reading() as connection:
            rows = connection.execute("SELECT number, time, action, subject, detail FROM audit ORDER BY number")
            return [AuditEntry(*row) for row in rows]

    @contextmanager
    def write(self) -> Iterator[Changes]:
        """Enter a transaction; its changes are committed when it is left without an error."""
        with self._writing() as connection:
            changes = Changes()
            yield changes
            if changes.is_empty:
                return
            codec = self.codec
            if changes.header is not None:
                codec = self.codec.fit(changes.header.width)
            self._apply(connection, changes, RowCodec(codec, self.header.collection))
        if changes.header is not None:
            self.header, self._epoch = changes.header, self._epoch + 1
            self._use(codec)

    def rekey(self, key: Key | None) -> None:
        """Turn and seal every row with another key, or with none, in one transaction."""
        generation = int(self.header.protection.get("generation", 0)) + 1
        header = replace(self.header, protection=Codec.describe_new(self.header.width, key, generation))
        codec = Codec(header.width, key, header.protection)
        old, new = self._rows, RowCodec(codec, header.collection)
        with self._writing() as connection:
            version = _raise_version(connection, epoch=True)
            for row in connection.execute(_select(PEOPLE)).fetchall():
                _put(connection, PEOPLE, new.close_person(replace(old.open_person(row), version=version)))
            # One after another: kept photos may be larger than the memory.
            for (identifier,) in connection.execute("SELECT id FROM photos").fetchall():
                photo = old.open_photo(connection.execute(f"{_select(PHOTOS)} WHERE id = ?", (identifier,)).fetchone())
                vector = codec.turn(self.codec.turn_back(photo.vector[None]))[0]
                _put(connection, PHOTOS, new.close_photo(replace(photo, vector=vector / np.linalg.norm(vector))))
                row = connection.execute(f"{_select(PICTURES)} WHERE photo = ?", (identifier,)).fetchone()
                if row is not None:
                    _put(connection, PICTURES, new.close_picture(identifier, old.open_picture(row)))
            _put_header(connection, header)
            _log(connection, Changes(action="rotate-key", detail=f"generation {generation}"))
        self.header, self._epoch = header, self._epoch + 1
        self._use(codec)
        self.compact()

    def find_candidates(self, groups: Collection[Group], vector: Vector, limit: int) -> None:
        """Return None: the file is read whole and searched in memory."""

    def compact(self) -> None:
        """Rewrite the file without what deleted rows left, and empty the write-ahead log.

        Raises:
            GalleryError: somebody else still reads what was deleted.
        """
        with self._explaining():
            connection = self._connect()
            connection.execute("VACUUM")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise GalleryError(
                f"What was removed is still in the write-ahead log of {self.location!r}, since another process reads "
                "there. Stop that one, then run handnet gallery compact."
            )

    def backup(self, target: Path) -> None:
        """Write the collection as of now into a new folder, without what deleted rows left."""
        with self._explaining(), _new_folder(target) as temporary:
            file = _create_file(temporary)
            self._connect().execute("VACUUM INTO ?", (str(file),))
            copy = sqlite3.connect(file)
            copy.execute("PRAGMA journal_mode = WAL")
            copy.close()
            _sync(file)

    def check(self) -> list[str]:
        """Read every page and every row and return what is damaged, one line each."""
        tables: Sequence[tuple[Layout, Callable[[Row], object]]] = (
            (PEOPLE, self._rows.open_person),
            (PHOTOS, self._rows.open_photo),
            (PICTURES, self._rows.open_picture),
        )
        damage = []
        try:
            with self._reading() as connection:
                found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
                damage += [f"SQLite says: {' '.join(line.split())}" for line in found if line != "ok"]
                damage += [
                    f"{row[0]} refers to a missing row" for row in connection.execute("PRAGMA foreign_key_check")
                ]
                for layout, open_row in tables:
                    for row in connection.execute(_select(layout)):
                        try:
                            open_row(row)
                        except (GalleryError, UnicodeDecodeError) as error:
                            damage.append(str(error))
        except GalleryError as error:
            damage.append(str(error))
        return damage

    def read_traces(self, person: str) -> list[bytes]:
        """Return byte strings by which a person's rows would be known in the file, and nobody else's."""
        with self._reading() as connection:
            pieces = [piece for blob in _list_values(connection, "=", person) for piece in _take_pieces(blob)]
            # The first bytes of all JPEGs are the same, and a name may be the beginning of another.
            for other in _list_values(connection, "<>", person):
                pieces = [piece for piece in pieces if piece not in other]
        return pieces

    def find_bytes(self, needles: Sequence[bytes]) -> list[str]:
        """Return the files of the folder in which any of these byte strings lies."""
        return [str(path) for path in sorted(self._folder.rglob("*")) if path.is_file() and _contains(path, needles)]

    def close(self) -> None:
        """Close the connections of all threads; the last process to close empties the write-ahead log."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    def _use(self, codec: Codec) -> None:
        self.codec = codec
        self._rows = RowCodec(codec, self.header.collection)

    def _connect(self) -> sqlite3.Connection:
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
        _configure(connection)
        return connection

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn SQLite's errors into those that a user can mend."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error) -> DiskError | GalleryError:
        name = getattr(error, "sqlite_errorname", "") or ""
        where = f"the gallery {self.location!r}"
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return GalleryError(
                f"Another process has been writing in {where} for {self._busy_timeout_s:g} s. Wait for it, then repeat."
            )
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            return DiskError(f"Cannot write {where}: {error}. Nothing was changed. Is the disk full?")
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return DiskError(f"Cannot write {where}: {error}. Nothing was changed. Give a folder that can be written.")
        return GalleryError(f"The gallery {self.location!r} is damaged: {error}. Restore it from a backup.")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one moment, the transaction's own where this thread is in one."""
        with self._explaining():
            connection = self._connect()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                self._check_epoch(connection)
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explaining():
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._check_epoch(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    def _check_epoch(self, connection: sqlite3.Connection) -> None:
        epoch = int(connection.execute("SELECT epoch FROM state").fetchone()[0])
        if epoch != self._epoch:
            raise GalleryError(
                f"The gallery {self.location!r} was given another key or model by another process. Open it again."
            )

    def _read_header(self, connection: sqlite3.Connection) -> tuple[Header, int]:
        row = connection.execute("SELECT body, sum, epoch FROM header, state").fetchone()
        if row is None or _sum_header(row[0]) != row[1]:
            raise GalleryError(f"The header of the gallery {self.location!r} is damaged. Restore it from a backup.")
        return Header(**json.loads(row[0])), int(row[2])

    def _apply(self, connection: sqlite3.Connection, changes: Changes, rows: RowCodec) -> None:
        version = _raise_version(connection, epoch=changes.header is not None)
        # Whose photos come or go: the version of each of them rises.
        photos = [*changes.remove_photos, *(photo.id for photo in changes.put_photos)]
        touched = {row[0] for row in _select_in(connection, "SELECT person FROM photos WHERE id", photos)}
        touched |= {photo.person for photo in changes.put_photos}
        for person in changes.put_people:
            _put(connection, PEOPLE, rows.close_person(replace(person, version=version)))
        for photo in changes.put_photos:
            _put(connection, PHOTOS, rows.close_photo(photo))
        for identifier, contents in changes.pictures.items():
            _put(connection, PICTURES, rows.close_picture(identifier, contents))
        removed = list(changes.remove_photos)
        removed += [
            row[0] for row in _select_in(connection, "SELECT id FROM photos WHERE person", changes.remove_people)
        ]
        connection.executemany("DELETE FROM pictures WHERE photo = ?", [(photo,) for photo in removed])
        connection.executemany("DELETE FROM photos WHERE id = ?", [(photo,) for photo in removed])
        connection.executemany("DELETE FROM people WHERE id = ?", [(person,) for person in changes.remove_people])
        others = sorted(touched - {person.id for person in changes.put_people} - set(changes.remove_people))
        for row in list(_select_in(connection, f"{_select(PEOPLE)} WHERE id", others)):
            _put(connection, PEOPLE, rows.close_person(replace(self._rows.open_person(row), version=version)))
        if changes.header is not None:
            _check_all_replaced(connection, {photo.id for photo in changes.put_photos})
            _put_header(connection, changes.header)
        _log(connection, changes)

    def _read_photos(self, connection: sqlite3.Connection, people: Collection[str] | None) -> list[Photo]:
        if people is None:
            rows = connection.execute(f"{_select(PHOTOS)} ORDER BY rowid")
            return [self._rows.open_photo(row) for row in rows]
        found = _select_in(connection, f"{_select(PHOTOS)} WHERE person", list(people), "ORDER BY rowid")
        return [self._rows.open_photo(row) for row in found]


def _configure(connection: sqlite3.Connection) -> None:
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


def _create_file(folder: Path) -> Path:
    """Make the empty file with its mode; SQLite gives the files next to it the same."""
    file = folder / FILE_NAME
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return file


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder`, or vanishes where something fails."""
    if os.path.lexists(folder):
        raise GalleryError(f"{str(folder)!r} exists already. Give another name, or remove it first.")
    try:
        with new_folder(folder, private=True) as temporary:
            yield temporary
        _sync(folder.absolute().parent)
    except (OSError, sqlite3.OperationalError) as error:
        raise DiskError(f"Cannot write {str(folder)!r}: {error}. Is the disk full?") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_header(connection: sqlite3.Connection, header: Header) -> None:
    body = json.dumps(asdict(header), sort_keys=True, allow_nan=False)
    connection.execute("INSERT OR REPLACE INTO header VALUES (1, ?, ?)", (body, _sum_header(body)))


def _sum_header(body: str) -> bytes:
    # Without the key, which only the header tells how to use.
    return Codec(0).sum_row(body.encode())


def _raise_version(connection: sqlite3.Connection, epoch: bool) -> int:
    connection.execute("UPDATE state SET version = version + 1, epoch = epoch + ?", (int(epoch),))
    return int(connection.execute("SELECT version FROM state").fetchone()[0])


def _check_all_replaced(connection: sqlite3.Connection, replaced: set[str]) -> None:
    left = [row[0] for row in connection.execute("SELECT id FROM photos") if row[0] not in replaced]
    if left:
        raise GalleryError(f"{len(left):,} photos have no vector of the new model. Nothing was changed.")


def _log(connection: sqlite3.Connection, changes: Changes) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    connection.execute(
        "INSERT INTO audit (time, action, subject, detail) VALUES (?, ?, ?, ?)",
        (now, changes.action, changes.subject, changes.detail),
    )


def _select(layout: Layout) -> str:
    return f"SELECT {', '.join(layout.columns)} FROM {layout.table}"


def _put(connection: sqlite3.Connection, layout: Layout, row: Row) -> None:
    """Insert a row or change it in place (REPLACE would delete it first, and with it what refers to it)."""
    key, *others = layout.columns
    updates = ", ".join(f"{name} = excluded.{name}" for name in others)
    places = ", ".join("?" * len(layout.columns))
    connection.execute(
        f"INSERT INTO {layout.table} ({', '.join(layout.columns)}) VALUES ({places}) "
        f"ON CONFLICT ({key}) DO UPDATE SET {updates}",
        row,
    )


def _select_in(connection: sqlite3.Connection, query: str, values: Sequence[str], order: str = "") -> Iterator[Any]:
    for start in range(0, len(values), _MAX_PARAMETERS):
        block = values[start : start + _MAX_PARAMETERS]
        yield from connection.execute(f"{query} IN ({', '.join('?' * len(block))}) {order}", block)


def _roll_back(connection: sqlite3.Connection) -> None:
    # After a full disk SQLite may have rolled back by itself.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _list_values(connection: sqlite3.Connection, whose: str, person: str) -> Iterator[bytes]:
    """Yield what is stored of a person (`whose` is "=") or of everybody else ("<>")."""
    for query in (
        f"SELECT name_key, name FROM people WHERE id {whose} ?",
        f"SELECT id, digest_key, digest, vector FROM photos WHERE person {whose} ?",
        f"SELECT contents FROM pictures WHERE photo IN (SELECT id FROM photos WHERE person {whose} ?)",
    ):
        for row in connection.execute(query, (person,)):
            yield from (value if isinstance(value, bytes) else value.encode() for value in row)


def _take_pieces(blob: bytes) -> list[bytes]:
    """Return a few short pieces: a long value is spread over several pages, and a very short one may be there by chance."""
    if len(blob) < _MIN_TRACE_BYTES:
        return []
    if len(blob) <= 3 * _TRACE_BYTES:
        return [blob]
    middle = len(blob) // 2
    return [blob[:_TRACE_BYTES], blob[middle : middle + _TRACE_BYTES], blob[-_TRACE_BYTES:]]


def _contains(path: Path, needles: Sequence[bytes]) -> bool:
    overlap = max((len(needle) for needle in needles), default=1) - 1
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_SEARCH_BLOCK_BYTES):
            block = tail + block
            if any(needle in block for needle in needles):
                return True
            tail = block[len(block) - overlap :] if overlap else b""
    return False
