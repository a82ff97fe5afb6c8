"""The embedded store: one SQLite file in a folder of its own, in write-ahead mode."""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from handnet.errors import DiskError, GalleryError
from handnet.files import parse_json, remove_dead
from handnet.gallery.protection import Codec, Key
from handnet.gallery.records import AuditEntry, Header, Person, Photo, Vector, list_spellings
from handnet.gallery.stores.file_traces import find_files, take_pieces
from handnet.gallery.stores.rows import PEOPLE, PHOTOS, PICTURES, Layout, Row, RowCodec
from handnet.gallery.stores.schema import MIGRATIONS, migrate_schema, read_schema_version
from handnet.gallery.stores.sqlite_connections import BUSY_TIMEOUT_S, Connections, roll_back
from handnet.gallery.stores.sqlite_folder import (
    create_file,
    new_gallery_folder,
    put_header,
    remove_gallery_folder,
    sum_header,
    sync,
    write_empty,
)
from handnet.gallery.stores.sqlite_rows import list_values, put, select, select_in
from handnet.gallery.stores.store import (
    CHANGED_MEANWHILE,
    Block,
    Changes,
    Contents,
    Group,
    Snapshot,
    explain_missing,
)

# How long to wait until nobody else has the file open before it is deleted.
_DELETE_TIMEOUT_MS = 2000


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
        self._folder = folder
        self._connections = Connections(folder, busy_timeout_s)
        # Read by the check at opening, for the first who wants everything: a large gallery is not read twice.
        self._opened: Snapshot | None = None
        try:
            with self._connections.explaining():
                connection = self._connections.connect()
                version = read_schema_version(connection)
                if version < len(MIGRATIONS):
                    migrate_schema(connection, version)
                self.header, self._epoch = self._read_header(connection)
            self._use(Codec(self.header.width, key, self.header.protection))
            # What a process left that was killed in `create` or `backup`.
            remove_dead(folder.absolute().parent)
            if verify and (damage := self._inspect(keep=True)):
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
        with new_gallery_folder(folder) as inside:
            write_empty(inside, header)
        return cls(folder, key)

    def read_version(self) -> int:
        """Return the collection's version."""
        with self._reading() as connection:
            return int(connection.execute("SELECT version FROM state").fetchone()[0])

    def read_since(self, version: int) -> Snapshot:
        """Return what changed after `version`; -1: everything."""
        opened, self._opened = self._opened, None
        with self._reading() as connection:
            now = int(connection.execute("SELECT version FROM state").fetchone()[0])
            if version < 0 and opened is not None and opened.version == now:
                return opened
            ids = frozenset(row[0] for row in connection.execute("SELECT id FROM people"))
            rows = connection.execute(f"{select(PEOPLE)} WHERE version > ?", (version,))
            people = [self._rows.open_person(row) for row in rows]
            photos = self._read_photos(connection, None if version < 0 else [person.id for person in people])
            return Snapshot(now, ids, people, photos)

    def read_contents(self) -> Contents:
        """Return everybody in one block: what lies in a folder fits the memory."""
        everybody = self.read_since(-1)
        block = Block(everybody.people, everybody.photos)
        return Contents(everybody.version, len(everybody.people), len(everybody.photos), iter((block,)))

    def find_person(self, name: str) -> Person | None:
        """Return the person of a name, in any case (upper or lower)."""
        with self._reading() as connection:
            for spelling in list_spellings(name):
                key = (self._rows.key_name(spelling),)
                row = connection.execute(f"{select(PEOPLE)} WHERE name_key = ?", key).fetchone()
                if row is not None:
                    return self._rows.open_person(row)
        return None

    def read_person(self, person: str) -> Person | None:
        """Return the person of an id."""
        with self._reading() as connection:
            row = connection.execute(f"{select(PEOPLE)} WHERE id = ?", (person,)).fetchone()
            return self._rows.open_person(row) if row else None

    def read_photos(self, people: Collection[str]) -> list[Photo]:
        """Return the photos of some people, the oldest first."""
        with self._reading() as connection:
            return self._read_photos(connection, people)

    def find_photos(self, digests: Sequence[str]) -> list[Photo]:
        """Return the enrolled photos whose contents have one of these digests."""
        keys = [self._rows.key_digest(digest) for digest in digests]
        with self._reading() as connection:
            rows = select_in(connection, f"{select(PHOTOS)} WHERE digest_key", keys)
            return [self._rows.open_photo(row) for row in rows]

    def read_picture(self, photo: str) -> bytes | None:
        """Return the kept bytes of a photo, or None."""
        with self._reading() as connection:
            row = connection.execute(f"{select(PICTURES)} WHERE photo = ?", (photo,)).fetchone()
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
            self._apply(connection, changes, self._rows)

    def replace_all(self, header: Header, blocks: Iterable[Block], version: int, action: str) -> None:
        """Give every photo another vector in one transaction, which begins when all blocks were read."""
        photos = [photo for block in blocks for photo in block.photos]
        codec = self.codec.fit(header.width)
        with self._writing() as connection:
            if version != int(connection.execute("SELECT version FROM state").fetchone()[0]):
                raise GalleryError(CHANGED_MEANWHILE)
            changes = Changes(put_photos=photos, action=action, detail=f"{len(photos)} photos")
            self._apply(connection, changes, RowCodec(codec, header.collection), header)
        self.header, self._epoch = header, self._epoch + 1
        self._use(codec)
        self.compact()

    def rekey(self, key: Key | None) -> None:
        """Turn and seal every row with another key, or with none, in one transaction."""
        generation = int(self.header.protection.get("generation", 0)) + 1
        header = replace(self.header, protection=Codec.describe_new(self.header.width, key, generation))
        codec = Codec(header.width, key, header.protection)
        old, new = self._rows, RowCodec(codec, header.collection)
        with self._writing() as connection:
            version = _raise_version(connection, epoch=True)
            for row in connection.execute(select(PEOPLE)).fetchall():
                put(connection, PEOPLE, new.close_person(replace(old.open_person(row), version=version)))
            # One after another: kept photos may be larger than the memory.
            for (identifier,) in connection.execute("SELECT id FROM photos").fetchall():
                photo = old.open_photo(connection.execute(f"{select(PHOTOS)} WHERE id = ?", (identifier,)).fetchone())
                vector = codec.turn(self.codec.turn_back(photo.vector[None]))[0]
                put(connection, PHOTOS, new.close_photo(replace(photo, vector=vector / np.linalg.norm(vector))))
                row = connection.execute(f"{select(PICTURES)} WHERE photo = ?", (identifier,)).fetchone()
                if row is not None:
                    put(connection, PICTURES, new.close_picture(identifier, old.open_picture(row)))
            put_header(connection, header)
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
            DiskError: there is no room for the new file; nothing is lost, and the rows stay deleted.
        """
        with self._connections.explaining():
            connection = self._connections.connect()
            try:
                connection.execute("VACUUM")
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.OperationalError as error:
                if not error.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                    raise
                # The change before it is committed: the usual "nothing was changed" would be wrong here.
                raise DiskError(
                    f"Cannot rewrite the gallery {self.location!r}: {error}. What was removed is in no list any more, but "
                    "its bytes are still in the file. Make room on the disk, then run handnet gallery compact."
                ) from error
        if busy:
            raise GalleryError(
                f"What was removed is still in the write-ahead log of {self.location!r}, since another process reads "
                "there. Stop that one, then run handnet gallery compact."
            )

    def backup(self, target: Path) -> None:
        """Write the collection as of now into a new folder, without what deleted rows left."""
        with self._connections.explaining(), new_gallery_folder(target) as inside:
            file = create_file(inside)
            self._connections.connect().execute("VACUUM INTO ?", (str(file),))
            copy = sqlite3.connect(file)
            copy.execute("PRAGMA journal_mode = WAL")
            copy.close()
            sync(file)

    def check(self) -> list[str]:
        """Read every page and every row and return what is damaged, one line each."""
        return self._inspect(keep=False)

    def _inspect(self, keep: bool) -> list[str]:
        """Read everything; what was read is kept for the first search where all is well and `keep` says so."""
        people: list[Person] = []
        photos: list[Photo] = []
        tables: Sequence[tuple[Layout, str, Callable[[Row], object]]] = (
            (PEOPLE, "", lambda row: people.append(self._rows.open_person(row))),
            (PHOTOS, "ORDER BY rowid", lambda row: photos.append(self._rows.open_photo(row))),
            (PICTURES, "", self._rows.open_picture),
        )
        damage = []
        try:
            with self._reading() as connection:
                version = int(connection.execute("SELECT version FROM state").fetchone()[0])
                found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
                damage += [f"SQLite says: {' '.join(line.split())}" for line in found if line != "ok"]
                damage += [
                    f"{row[0]} refers to a missing row" for row in connection.execute("PRAGMA foreign_key_check")
                ]
                for layout, order, open_row in tables:
                    for row in connection.execute(f"{select(layout)} {order}"):
                        try:
                            open_row(row)
                        except (GalleryError, UnicodeDecodeError) as error:
                            damage.append(str(error))
        except GalleryError as error:
            damage.append(str(error))
        if keep and not damage:
            self._opened = Snapshot(version, frozenset(person.id for person in people), people, photos)
        return damage

    def read_traces(self, person: str) -> list[bytes]:
        """Return byte strings by which a person's rows would be known in the file, and nobody else's."""
        with self._reading() as connection:
            pieces = [piece for blob in list_values(connection, "=", person) for piece in take_pieces(blob)]
            # The first bytes of all JPEGs are the same, and a name may be the beginning of another.
            for other in list_values(connection, "<>", person):
                pieces = [piece for piece in pieces if piece not in other]
        return pieces

    def find_bytes(self, needles: Sequence[bytes]) -> list[str]:
        """Return the files of the folder in which any of these byte strings lies."""
        return find_files(self._folder, needles)

    def delete(self) -> None:
        """Delete the file; and its folder where nothing else lies there.

        Raises:
            GalleryError: another process has it open.
            DiskError: the folder cannot be written.
        """
        # Connections that stayed open would later delete the log of a new gallery of the same name.
        self._connections.close()
        with self._connections.explaining():
            connection = self._connections.connect()
            connection.execute(f"PRAGMA busy_timeout = {_DELETE_TIMEOUT_MS}")
            try:
                # Takes that nobody else has the file open, and leaves no log.
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                self._connections.close()
                if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                    raise GalleryError(
                        f"Another process has the gallery {self.location!r} open. Stop that one, then repeat. Nothing was "
                        "deleted."
                    ) from None
                raise
            try:
                remove_gallery_folder(self._folder)
            except DiskError:
                roll_back(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                raise
            finally:
                self._connections.close()

    def close(self) -> None:
        """Close the connections of all threads; the last process to close empties the write-ahead log."""
        self._connections.close()

    def _use(self, codec: Codec) -> None:
        self.codec = codec
        self._rows = RowCodec(codec, self.header.collection)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one moment, the transaction's own where this thread is in one."""
        with self._connections.explaining():
            connection = self._connections.connect()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                self._check_epoch(connection)
                yield connection
            finally:
                roll_back(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connections.explaining():
            connection = self._connections.connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._check_epoch(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                raise

    def _check_epoch(self, connection: sqlite3.Connection) -> None:
        epoch = int(connection.execute("SELECT epoch FROM state").fetchone()[0])
        if epoch != self._epoch:
            raise GalleryError(
                f"The gallery {self.location!r} was given another key or model by another process. Open it again."
            )

    def _read_header(self, connection: sqlite3.Connection) -> tuple[Header, int]:
        row = connection.execute("SELECT body, sum, epoch FROM header, state").fetchone()
        if row is None or sum_header(row[0]) != row[1]:
            raise GalleryError(f"The header of the gallery {self.location!r} is damaged. Restore it from a backup.")
        return Header(**parse_json(row[0])), int(row[2])

    def _apply(
        self, connection: sqlite3.Connection, changes: Changes, rows: RowCodec, header: Header | None = None
    ) -> None:
        version = _raise_version(connection, epoch=header is not None)
        # Whose photos come or go: the version of each of them rises.
        photos = [*changes.remove_photos, *(photo.id for photo in changes.put_photos)]
        touched = {row[0] for row in select_in(connection, "SELECT person FROM photos WHERE id", photos)}
        touched |= {photo.person for photo in changes.put_photos}
        for person in changes.put_people:
            put(connection, PEOPLE, rows.close_person(replace(person, version=version)))
        for photo in changes.put_photos:
            put(connection, PHOTOS, rows.close_photo(photo))
        for identifier, contents in changes.pictures.items():
            put(connection, PICTURES, rows.close_picture(identifier, contents))
        removed = list(changes.remove_photos)
        removed += [
            row[0] for row in select_in(connection, "SELECT id FROM photos WHERE person", changes.remove_people)
        ]
        connection.executemany("DELETE FROM pictures WHERE photo = ?", [(photo,) for photo in removed])
        connection.executemany("DELETE FROM photos WHERE id = ?", [(photo,) for photo in removed])
        connection.executemany("DELETE FROM people WHERE id = ?", [(person,) for person in changes.remove_people])
        others = sorted(touched - {person.id for person in changes.put_people} - set(changes.remove_people))
        for row in list(select_in(connection, f"{select(PEOPLE)} WHERE id", others)):
            put(connection, PEOPLE, rows.close_person(replace(self._rows.open_person(row), version=version)))
        if header is not None:
            _check_all_replaced(connection, {photo.id for photo in changes.put_photos})
            put_header(connection, header)
        _log(connection, changes)

    def _read_photos(self, connection: sqlite3.Connection, people: Collection[str] | None) -> list[Photo]:
        if people is None:
            rows = connection.execute(f"{select(PHOTOS)} ORDER BY rowid")
            return [self._rows.open_photo(row) for row in rows]
        found = select_in(connection, f"{select(PHOTOS)} WHERE person", list(people), "ORDER BY rowid")
        return [self._rows.open_photo(row) for row in found]


def _raise_version(connection: sqlite3.Connection, epoch: bool) -> int:
    connection.execute("UPDATE state SET version = version + 1, epoch = epoch + ?", (int(epoch),))
    return int(connection.execute("SELECT version FROM state").fetchone()[0])


def _check_all_replaced(connection: sqlite3.Connection, replaced: set[str]) -> None:
    left = [row[0] for row in connection.execute("SELECT id FROM photos") if row[0] not in replaced]
    if left:
        raise GalleryError(explain_missing(len(left)))


def _log(connection: sqlite3.Connection, changes: Changes) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    connection.execute(
        "INSERT INTO audit (time, action, subject, detail) VALUES (?, ?, ?, ?)",
        (now, changes.action, changes.subject, changes.detail),
    )
