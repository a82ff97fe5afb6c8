"""What is committed in a gallery on a Milvus server: its head, its people and their photos, read as of one commit."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from handnet.errors import GalleryError
from handnet.gallery.protection import Codec, Key
from handnet.gallery.records import Header, Person, Photo
from handnet.gallery.stores.milvus_client import Server
from handnet.gallery.stores.milvus_rows import (
    READ_FIELDS,
    Head,
    ServerRow,
    keep_newest,
    read_head,
    read_header,
    read_person,
    read_photo,
)
from handnet.gallery.stores.rows import RowCodec
from handnet.gallery.stores.store import CHANGED_MEANWHILE, Block

_POLL_S = 0.05
_MAX_TRIES = 20
_BLOCK_PEOPLE = 250

_Value = TypeVar("_Value")


class CommittedRows:
    """Reads the rows of a gallery that its newest head covers, and no others.

    Attributes:
        header: of the gallery.
        codec: opens its rows.
        rows: the same, for whole rows.
        epoch: how often the gallery was given another key or model.
    """

    def __init__(self, server: Server, location: str, key: Key | None) -> None:
        """Read the header.

        Args:
            server: of the gallery, loaded.
            location: of the gallery, for messages.
            key: the gallery's key where it is protected.

        Raises:
            GalleryError: the gallery is damaged, or the key is not its key.
        """
        self._server, self._location = server, location
        head = self._read_any_head()
        fields = read_header(server.query("kind == 'header'", ("item", "body")), head.header_parts)
        if fields is None:
            raise GalleryError(f"The header of the gallery {location} is damaged. Restore it from a backup.")
        header = Header(**fields)
        self.turn_to(header, Codec(header.width, key, header.protection), head.epoch)

    def turn_to(self, header: Header, codec: Codec, epoch: int) -> None:
        """Read from now on what has another header, another key or another model."""
        self.header, self.codec, self.epoch = header, codec, epoch
        self.rows = RowCodec(codec, header.collection, seal_vectors=False)

    def _read_any_head(self) -> Head:
        for _ in range(_MAX_TRIES):
            rows = self._server.query("kind == 'head'", ("body",))
            if rows:
                return read_head(rows)
            time.sleep(_POLL_S)
        raise GalleryError(f"The gallery {self._location} is damaged: it has no head. Restore it from a backup.")

    def read_head(self) -> Head:
        """Return the newest head; raises GalleryError where another process has given the gallery another key or model."""
        head = self._read_any_head()
        if head.epoch != self.epoch:
            raise GalleryError(
                f"The gallery {self._location} was given another key or model by another process. Open it again."
            )
        return head

    def read_consistently(self, read: Callable[[Head], _Value]) -> _Value:
        """Read as of one commit: where there was another meanwhile, read again."""
        for _ in range(_MAX_TRIES):
            head = self.read_head()
            value = read(head)
            if self.read_head().version == head.version:
                return value
        raise GalleryError(f"The gallery {self._location} is being changed too often to be read. Repeat.")

    def read_blocks(self, head: Head) -> Iterator[Block]:
        """Return everybody of a commit, some hundred people at a time."""
        last = ""
        condition = f"kind == 'person' and batch <= {head.version}"
        for page in self._server.query_pages(condition, ("item",), _BLOCK_PEOPLE):
            # The rows of a person, of which a writer that died may have left two, lie together; some end on the next page.
            ids = sorted({row["item"] for row in page} - {last})
            last = page[-1]["item"]
            block = Block(self.read_people(head, ids), self.read_photos(head, "owner", ids))
            # What another writer swept away meanwhile is missing here.
            self.check_version(head.version)
            yield block

    def read_gone(self, head: Head) -> dict[str, int]:
        """Return the newest batch in which each removed person or photo was removed."""
        rows = self._server.query(f"kind == 'gone' and batch <= {head.version}", ("item", "batch"))
        return {row["item"]: row["batch"] for row in rows}

    def read_people(self, head: Head, ids: Sequence[str] | None) -> list[Person]:
        """Return the people of some ids, or all."""
        condition = f"kind == 'person' and batch <= {head.version}"
        if ids is None:
            rows = self._server.query(condition, READ_FIELDS)
        else:
            rows = self._server.query_in(condition, "item", ids, READ_FIELDS)
        return [read_person(row, self.rows) for row in keep_newest(rows, self.read_gone(head))]

    def read_photos(self, head: Head, field: str, values: Collection[str] | None) -> list[Photo]:
        """Return the photos whose `field` has one of these values, or all; the oldest first."""
        condition = f"kind == 'photo' and batch <= {head.version}"
        rows: list[ServerRow]
        if values is None:
            rows = keep_newest(self._server.query(condition, READ_FIELDS), self.read_gone(head))
        else:
            # A photo that was merged has an older row of another owner: the newest row counts.
            items = {row["item"] for row in self._server.query_in(condition, field, list(values), ("item",))}
            rows = self._server.query_in(condition, "item", sorted(items), READ_FIELDS)
            wanted = set(values)
            rows = [row for row in keep_newest(rows, self.read_gone(head)) if row[field] in wanted]
        photos = [read_photo(row, self.rows) for row in rows]
        return sorted(photos, key=lambda photo: (photo.created, photo.id))

    def check_version(self, version: int) -> None:
        """Raise GalleryError where there was another commit after `version`."""
        if self.read_head().version != version:
            raise GalleryError(CHANGED_MEANWHILE)
