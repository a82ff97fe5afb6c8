"""What a gallery asks of the place where its rows lie."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from handnet.gallery.protection import Codec, Key
from handnet.gallery.records import AuditEntry, HandKind, Header, Person, Photo, Vector
from handnet.gallery.templates import Template

# The kinds of a person's templates, each with whether it was made of one photo.
Group = tuple[HandKind, bool]
Composition = Mapping[tuple[Group, ...], int]


CHANGED_MEANWHILE = "The gallery was changed during the migration, so nothing was changed. Repeat it."


@dataclass(slots=True)
class Changes:
    """What one transaction changes; nothing of it is seen by anybody before it is committed.

    Attributes:
        put_people: new people, and old ones under their id.
        put_photos: new photos, and old ones under their id.
        pictures: bytes of photos to be kept, by the photo's id.
        remove_people: ids; their photos go with them.
        remove_photos: ids.
        action: the verb for the log.
        subject: id of the person whom it is about, or "".
        detail: counts and the like for the log; never a name.
    """

    put_people: list[Person] = field(default_factory=list)
    put_photos: list[Photo] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    remove_people: list[str] = field(default_factory=list)
    remove_photos: list[str] = field(default_factory=list)
    action: str = ""
    subject: str = ""
    detail: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        lists = (self.put_people, self.put_photos, self.pictures, self.remove_people, self.remove_photos)
        return not any(lists)


class Snapshot(NamedTuple):
    """People and photos as of one moment, or those that changed since an earlier one.

    Attributes:
        version: of the collection; each commit adds 1.
        ids: of all people.
        people: those that changed.
        photos: all photos of those.
    """

    version: int
    ids: frozenset[str]
    people: list[Person]
    photos: list[Photo]


class Block(NamedTuple):
    """Some people with all of their photos.

    Attributes:
        people: none of whom is in another block.
        photos: all of theirs.
    """

    people: Sequence[Person]
    photos: Sequence[Photo]


class Contents(NamedTuple):
    """Everybody, read block by block.

    Attributes:
        version: of the collection. Where it changes before the last block is read, GalleryError is raised.
        num_people: in all blocks.
        num_photos: likewise.
        blocks: on a server not more than a few hundred people each; from a folder one block of all.
    """

    version: int
    num_people: int
    num_photos: int
    blocks: Iterator[Block]


class Candidates(NamedTuple):
    """What a server's search returns: people who may be the nearest, and everybody's numbers.

    Attributes:
        people: the candidates.
        templates: all of theirs.
        composition: how many people have these kinds of templates: {((kind, of one photo), …): people}.
        num_people: enrolled.
    """

    people: list[Person]
    templates: list[Template]
    composition: Composition
    num_people: int


class Store(Protocol):
    """The truth of a gallery. Names, digests, vectors and pictures are plain here; the store seals them with `codec`.

    All methods raise GalleryError for a store that is damaged, busy for too long, out of reach, or was given another key
    or model by another process since it was opened; DiskError where nothing can be written.
    """

    location: str

    @property
    def header(self) -> Header:
        """What the gallery is made for."""

    @property
    def codec(self) -> Codec:
        """What seals and opens its rows."""

    # What `find_bytes` cannot look into, in words; "" where it sees everything.
    unsearched: str

    def read_version(self) -> int:
        """Return the collection's version, which every commit raises."""

    def read_since(self, version: int) -> Snapshot:
        """Return what changed after `version`; -1: everything."""

    def read_contents(self) -> Contents:
        """Return everybody block by block."""

    def find_person(self, name: str) -> Person | None:
        """Return the person of a name, in any case (upper or lower)."""

    def read_person(self, person: str) -> Person | None:
        """Return the person of an id."""

    def read_photos(self, people: Collection[str]) -> list[Photo]:
        """Return the photos of some people, the oldest first."""

    def find_photos(self, digests: Sequence[str]) -> list[Photo]:
        """Return the enrolled photos whose contents have one of these digests."""

    def read_picture(self, photo: str) -> bytes | None:
        """Return the kept bytes of a photo, or None."""

    def read_audit(self) -> list[AuditEntry]:
        """Return the log, the oldest first."""

    def write(self) -> AbstractContextManager[Changes]:
        """Enter a transaction: one writer at a time; what it reads inside is what its changes will be applied to.

        The changes are committed, on disk, when the context is left without an error, and otherwise dropped. Without any
        changes there is no commit and no line in the log.
        """

    def replace_all(self, header: Header, blocks: Iterable[Block], version: int, action: str) -> None:
        """Give every photo another vector, those of another model; all of them, or nothing is changed.

        Others read and write the collection as it is until all blocks are there.

        Args:
            header: the new one.
            blocks: everybody, with the new vectors; where reading them raises, nothing is changed.
            version: of the collection that they were made from.
            action: the verb for the log.

        Raises:
            GalleryError: somebody wrote since `version`, or photos are missing.
        """

    def rekey(self, key: Key | None) -> None:
        """Turn and seal every row with another key, or with none, in one transaction."""

    def find_candidates(self, groups: Collection[Group], vector: Vector, limit: int) -> Candidates | None:
        """Search on the server; None where the store has no search of its own.

        Args:
            groups: the kinds of templates that the probe can be compared with; empty: none is searched.
            vector: float32 (D,), turned as the collection's.
            limit: templates of each kind.
        """

    def compact(self) -> None:
        """Remove what deleted rows left behind.

        Raises:
            GalleryError: somebody else still reads them.
            DiskError: there is no room; the rows stay deleted, and their bytes are still there.
        """

    def backup(self, target: Path) -> None:
        """Write the collection as of now into a new folder, which can be opened as a gallery."""

    def check(self) -> list[str]:
        """Return what is damaged, one line each."""

    def read_traces(self, person: str) -> list[bytes]:
        """Return byte strings by which a person's rows would be known in the store's files."""

    def find_bytes(self, needles: Sequence[bytes]) -> list[str]:
        """Return where any of these byte strings lies in the store's files."""

    def delete(self) -> None:
        """Delete the collection with everything in it, and close the store; where that fails it is as before, and open.

        Raises:
            GalleryError: another process has it open.
        """

    def close(self) -> None:
        """Let go of files and connections."""


def explain_missing(num_photos: int) -> str:
    """Return in words that photos were left out where all were to be replaced."""
    return f"{num_photos:,} photos have no vector of the new model. Nothing was changed."
