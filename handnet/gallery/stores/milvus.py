"""The store on a Milvus server: one collection for many programs, searched there.

Milvus has no transactions. A commit is made of rows that carry the number of their batch, and of one head row, written
last: what is newer than the newest head does not exist. What changes every row (another key, another model) is written
into a new collection of the server, to which the gallery's alias is then turned. A gallery may be larger than the memory:
whatever goes through everybody does so in blocks.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from handnet.errors import ConfigError, GalleryError
from handnet.gallery.protection import Codec, Key
from handnet.gallery.records import AuditEntry, Header, Person, Photo, Vector, list_spellings
from handnet.gallery.stores.milvus_client import Server
from handnet.gallery.stores.milvus_commit import commit, make_log, recover
from handnet.gallery.stores.milvus_copy import NewCollection
from handnet.gallery.stores.milvus_indexes import EXACT
from handnet.gallery.stores.milvus_lock import WriterLock
from handnet.gallery.stores.milvus_reading import CommittedRows
from handnet.gallery.stores.milvus_rows import (
    MARK_BYTES,
    READ_FIELDS,
    Head,
    ServerRow,
    compose,
    keep_newest,
    name_group,
    read_composition,
    read_person,
    read_photo,
    read_template,
    to_bytes,
)
from handnet.gallery.stores.sqlite import SqliteStore
from handnet.gallery.stores.sqlite_folder import new_gallery_folder, write_empty
from handnet.gallery.stores.store import (
    Block,
    Candidates,
    Changes,
    Contents,
    Group,
    Snapshot,
    explain_missing,
)

TIMEOUT_S = 30.0
_LOG_ROWS = 1000
_SEARCHED_ROWS = 1000

_Value = TypeVar("_Value")


class MilvusStore:
    """A collection on a Milvus server, or on `milvus-lite server`."""

    def __init__(self, gallery: str, address: str, key: Key | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        """Open a collection.

        Args:
            gallery: its name on the server.
            address: "milvus+http://HOST:PORT".
            key: its key where it is protected.
            timeout_s: how long to wait for the server, and for another writer.

        Raises:
            GalleryError: the server is out of reach, has no such gallery, or the key is not its key.
        """
        self.location = f"{address}/{gallery}"
        self.unsearched = "the files of the server, which are out of reach: its rows were searched instead"
        self._server = Server(gallery, address, timeout_s)
        try:
            if not self._server.has_gallery():
                raise GalleryError(f"There is no gallery {gallery!r} on {address}. Make one with create --store.")
            self._server.load()
            self._committed = CommittedRows(self._server, self.location, key)
        except BaseException:
            self.close()
            raise

    @property
    def header(self) -> Header:
        """What the gallery is made for."""
        return self._committed.header

    @property
    def codec(self) -> Codec:
        """What opens its rows."""
        return self._committed.codec

    @classmethod
    def create(cls, gallery: str, address: str, header: Header, key: Key | None = None) -> "MilvusStore":
        """Make a new collection and open it.

        Raises:
            GalleryError: the server is out of reach, or has such a gallery.
            ConfigError: photos were to be kept, which a server does not, or an unknown index.
        """
        if header.keep_photos:
            raise ConfigError("A server keeps no photos. Leave out --keep-photos; migrate takes them from a folder.")
        server = Server(gallery, address, TIMEOUT_S)
        try:
            if server.has_gallery():
                raise GalleryError(f"The gallery {gallery!r} exists on {address} already. Give another name.")
            new = NewCollection(server, header, Codec(header.width, key, header.protection), 0)
            with new.dropped_on_error():
                new.finish(0, lambda writer: [])
            server.turn_alias(new.name)
        finally:
            server.close()
        return cls(gallery, address, key)

    def read_version(self) -> int:
        """Return the collection's version."""
        return self._committed.read_head().version

    def read_since(self, version: int) -> Snapshot:
        """Return what changed after `version`; -1: everything."""

        def read(head: Head) -> Snapshot:
            rows = self._server.query(f"kind == 'person' and batch <= {head.version}", ("item", "batch"))
            newest = keep_newest(rows, self._committed.read_gone(head))
            changed = None if version < 0 else [row["item"] for row in newest if row["batch"] > version]
            people, photos = (
                self._committed.read_people(head, changed),
                self._committed.read_photos(head, "owner", changed),
            )
            return Snapshot(head.version, frozenset(row["item"] for row in newest), people, photos)

        return self._committed.read_consistently(read)

    def read_contents(self) -> Contents:
        """Return everybody, some hundred people at a time."""
        head = self._committed.read_head()
        num_photos = self._server.count(f"kind == 'photo' and batch <= {head.version}")
        return Contents(head.version, sum(head.composition.values()), num_photos, self._committed.read_blocks(head))

    def find_person(self, name: str) -> Person | None:
        """Return the person of a name, in any case (upper or lower)."""

        def read(head: Head) -> Person | None:
            for spelling in list_spellings(name):
                rows = self._server.query(
                    f"kind == 'person' and mark == '{self._committed.rows.key_name(spelling)}'", ("item",)
                )
                people = self._committed.read_people(head, sorted({row["item"] for row in rows}))
                for person in people:
                    # An older row may bear a name that its person has no longer.
                    if person.name.casefold() == spelling.casefold():
                        return person
            return None

        return self._committed.read_consistently(read)

    def read_person(self, person: str) -> Person | None:
        """Return the person of an id."""
        people = self._committed.read_consistently(lambda head: self._committed.read_people(head, [person]))
        return people[0] if people else None

    def read_photos(self, people: Collection[str]) -> list[Photo]:
        """Return the photos of some people, the oldest first."""
        return self._committed.read_consistently(lambda head: self._committed.read_photos(head, "owner", people))

    def find_photos(self, digests: Sequence[str]) -> list[Photo]:
        """Return the enrolled photos whose contents have one of these digests."""
        marks = [self._committed.rows.key_digest(digest) for digest in digests]
        return self._committed.read_consistently(lambda head: self._committed.read_photos(head, "mark", marks))

    def read_picture(self, photo: str) -> bytes | None:
        """Return None: a server keeps no photos."""
        return None

    def read_audit(self) -> list[AuditEntry]:
        """Return the log, the oldest first."""
        head = self._committed.read_head()
        rows = self._server.query(f"kind == 'audit' and batch <= {head.version}", ("item", "body"))
        return sorted((AuditEntry(int(row["item"]), *json.loads(row["body"])) for row in rows), key=lambda e: e.number)

    @contextmanager
    def write(self) -> Iterator[Changes]:
        """Enter a transaction; its changes are committed when it is left without an error."""
        lock = self._make_lock()
        with lock.hold():
            recover(self._server, self._committed)
            changes = Changes()
            yield changes
            if changes.is_empty:
                return
            commit(self._server, self._committed, changes, lock)

    def replace_all(self, header: Header, blocks: Iterable[Block], version: int, action: str) -> None:
        """Write everybody's new vectors into a new collection while the old one answers, and turn the alias to it."""
        codec, epoch = self.codec.fit(header.width), self._committed.epoch + 1
        with self._make_lock().hold():
            recover(self._server, self._committed)
            self._committed.check_version(version)
            self._server.drop_leftovers()
            new = NewCollection(self._server, header, codec, version + 1)
        with new.dropped_on_error():
            for block in blocks:
                new.put(block)
            changes = Changes(action=action, detail=f"{new.num_photos} photos")
            self._finish(new, version, epoch, changes, None)
        lock = self._make_lock()
        with lock.hold():
            with new.dropped_on_error():
                recover(self._server, self._committed)
                self._committed.check_version(version)
                missing = self._server.count("kind == 'photo'") - new.num_photos
                if missing > 0:
                    raise GalleryError(explain_missing(missing))
                self._check_whole(new)
                lock.check()
            self._turn_to(new, header, codec, epoch)

    def rekey(self, key: Key | None) -> None:
        """Turn every row with another key, or with none, into a new collection of the server."""
        generation = int(self.header.protection.get("generation", 0)) + 1
        header = replace(self.header, protection=Codec.describe_new(self.header.width, key, generation))
        codec = Codec(header.width, key, header.protection)
        lock = self._make_lock()
        with lock.hold():
            recover(self._server, self._committed)
            old = self.codec

            def turn(photo: Photo) -> Photo:
                vector = codec.turn(old.turn_back(photo.vector[None]))[0]
                return replace(photo, vector=vector / np.linalg.norm(vector))

            changes = Changes(action="rotate-key", detail=f"generation {generation}")
            self._rewrite(header, codec, turn, changes, lock)

    def find_candidates(self, groups: Collection[Group], vector: Vector, limit: int) -> Candidates:
        """Search on the server."""

        def read(head: Head) -> Candidates:
            found: set[str] = set()
            for group in groups:
                condition = f"kind == 'template' and mark == '{name_group(group)}' and batch <= {head.version}"
                found.update(self._server.search(condition, vector.tolist(), limit, self.header.index))
            people = self._committed.read_people(head, sorted(found))
            versions = {person.id: person.version for person in people}
            rows = self._server.query_in("kind == 'template'", "owner", sorted(versions), READ_FIELDS)
            # A template that was not made with its person's last change waits to be swept away.
            templates = [read_template(row) for row in rows if versions[row["owner"]] == row["batch"]]
            composition = read_composition(head.composition)
            return Candidates(people, templates, composition, sum(composition.values()))

        return self._committed.read_consistently(read)

    def compact(self) -> None:
        """Let the server write its files without what was deleted; where it does not, write everybody into a new collection.

        Raises:
            GalleryError: the server takes too long; what was removed stays removed.
        """
        lock = self._make_lock()
        with lock.hold():
            recover(self._server, self._committed)
            # What a migration left that was killed holds everybody who has been removed since.
            self._server.drop_leftovers()
        if self._server.compact():
            return
        with lock.hold():
            recover(self._server, self._committed)
            self._rewrite(self.header, self.codec, lambda photo: photo, None, lock)

    def backup(self, target: Path) -> None:
        """Write the collection as of now into a new folder, which is a gallery without the server; the log stays here."""
        snapshot = self.read_since(-1)
        with new_gallery_folder(target) as inside:
            write_empty(inside, replace(self.header, index=EXACT, shards=1))
            store = SqliteStore(inside, self.codec.key)
            try:
                with store.write() as changes:
                    changes.put_people, changes.put_photos = snapshot.people, snapshot.photos
                    changes.action, changes.detail = "backup", f"of version {snapshot.version}"
            finally:
                store.close()

    def check(self) -> list[str]:
        """Read every row and return what is damaged, one line each."""

        def read(head: Head) -> list[str]:
            damage: list[str] = []
            gone = self._committed.read_gone(head)
            rows = self._server.query(f"kind == 'person' and batch <= {head.version}", READ_FIELDS)
            people = {row["item"]: row for row in keep_newest(rows, gone)}
            rows = self._server.query(f"kind == 'photo' and batch <= {head.version}", READ_FIELDS)
            photos: list[Photo] = []
            for row in people.values():
                _try(partial(read_person, row, self._committed.rows), damage)
            for row in keep_newest(rows, gone):
                photos += _try(partial(read_photo, row, self._committed.rows), damage)
                if row["owner"] not in people:
                    damage.append(f"photo {row['item']} is of nobody")
            if not damage and dict(compose(people, photos)) != read_composition(head.composition):
                damage.append("the templates are not those of the photos")
            return damage

        return self._committed.read_consistently(read)

    def read_traces(self, person: str) -> list[bytes]:
        """Return byte strings by which a person's rows would be known on the server."""
        rows = self._server.query(f"owner == '{person}'", ("kind", "item", "mark", "vector"))
        traces = {row["item"].encode() for row in rows if row["kind"] == "photo"}
        traces |= {row["mark"].encode() for row in rows if len(row["mark"]) == MARK_BYTES}
        return sorted(traces | {to_bytes(row["vector"]) for row in rows if any(row["vector"])})

    def find_bytes(self, needles: Sequence[bytes]) -> list[str]:
        """Return the rows of the server in which any of these byte strings lies."""
        found = []
        for page in self._server.query_pages("batch >= 0", ("key", *READ_FIELDS), _SEARCHED_ROWS):
            for row in page:
                text = " ".join(str(row[field]) for field in ("key", "item", "owner", "mark", "body")).encode()
                vector = to_bytes(row["vector"])
                if any(needle in text or needle == vector for needle in needles):
                    found.append(f"{self.location}, row {row['key']}")
        return found

    def delete(self) -> None:
        """Delete the gallery from the server, and close the connection."""
        with self._make_lock().hold():
            self._server.drop_gallery()
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def _make_lock(self) -> WriterLock:
        return WriterLock(self._server, self.header.width, self._server.timeout_s)

    def _rewrite(
        self,
        header: Header,
        codec: Codec,
        turn: Callable[[Photo], Photo],
        changes: Changes | None,
        lock: WriterLock,
    ) -> None:
        """Write everybody into a new collection while other writers wait; `changes`: what the log says of it."""
        contents, epoch = self.read_contents(), self._committed.epoch + (changes is not None)
        self._server.drop_leftovers()
        new = NewCollection(self._server, header, codec, contents.version + 1)
        with new.dropped_on_error():
            for block in contents.blocks:
                lock.renew()
                new.put(Block(block.people, [turn(photo) for photo in block.photos]))
            self._finish(new, contents.version, epoch, changes, lock)
            self._check_whole(new)
            lock.check()
        self._turn_to(new, header, codec, epoch)

    def _finish(
        self, new: NewCollection, version: int, epoch: int, changes: Changes | None, lock: WriterLock | None
    ) -> None:
        def read_log() -> Iterator[list[ServerRow]]:
            condition = f"kind == 'audit' and batch <= {version}"
            for page in self._server.query_pages(condition, ("item", "body"), _LOG_ROWS):
                if lock is not None:
                    lock.renew()
                yield page

        new.put_log(read_log())
        new.finish(epoch, lambda writer: [] if changes is None else [make_log(writer, version + 1, changes)])

    def _check_whole(self, new: NewCollection) -> None:
        """Compare with what is there, counted; the caller holds the lock and has recovered, so that no row is there twice."""
        expected = sum(self._committed.read_head().composition.values()), self._server.count("kind == 'photo'")
        if (new.num_people, new.num_photos) != expected:
            raise GalleryError(
                f"The gallery {self.location} is damaged: run handnet gallery check. It was not written again."
            )

    def _turn_to(self, new: NewCollection, header: Header, codec: Codec, epoch: int) -> None:
        """Turn the alias, which is the commit. After an error the new collection may be the gallery: it is not dropped."""
        self._server.turn_alias(new.name)
        self._committed.turn_to(header, codec, epoch)


def _try(read: Callable[[], _Value], damage: list[str]) -> list[_Value]:
    try:
        return [read()]
    except (GalleryError, ValueError) as error:
        damage.append(str(error))
        return []
