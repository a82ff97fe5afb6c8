"""Rows as the embedded store writes them: sealed, with a checksum, bound to their place."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from handnet.errors import GalleryError
from handnet.gallery.protection import Codec
from handnet.gallery.records import HandKind, Person, Photo

Row = Sequence[Any]


class Layout(NamedTuple):
    """A table's columns in the order in which rows are closed and opened; the first is its key, the last the checksum."""

    table: str
    columns: tuple[str, ...]


PEOPLE = Layout("people", ("id", "name_key", "name", "created", "version", "sum"))
PHOTOS = Layout(
    "photos",
    (
        "id",
        "person",
        "digest_key",
        "digest",
        "view",
        "side",
        "quality",
        "evidence",
        "created",
        "vector",
        "sum",
    ),
)
PICTURES = Layout("pictures", ("photo", "contents", "sum"))


class RowCodec:
    """Closes records into rows and opens them again. A row that was moved, swapped or changed does not open."""

    def __init__(self, codec: Codec, collection: str, seal_vectors: bool = True) -> None:
        """Bind a codec to a collection.

        Args:
            codec: seals and sums.
            collection: its identifier.
            seal_vectors: False: vectors are turned but not sealed, since a server searches them.
        """
        self.codec = codec
        self._collection = collection
        self._seal_vectors = seal_vectors

    def key_name(self, name: str) -> str:
        """Return what people are found by: the digest of the name in small letters."""
        return self.codec.digest(name.casefold().encode())

    def key_digest(self, digest: str) -> str:
        """Return what photos are found by."""
        return self.codec.digest(bytes.fromhex(digest))

    def close_person(self, person: Person) -> Row:
        """Turn a person into a row of PEOPLE."""
        name = self.codec.seal(person.name.encode(), self._place("person", person.id))
        return self._sum((person.id, self.key_name(person.name), name, person.created, person.version))

    def open_person(self, row: Row) -> Person:
        """Turn a row of PEOPLE into a person."""
        self._check(f"person {row[0]}", row)
        identifier, _, name, created, version, _ = row
        return Person(identifier, self.codec.open(name, self._place("person", identifier)).decode(), created, version)

    def close_photo(self, photo: Photo) -> Row:
        """Turn a photo into a row of PHOTOS."""
        if photo.vector.shape != (self.codec.width,):
            raise GalleryError(f"Expected a vector of {self.codec.width} numbers. Received: {photo.vector.shape}.")
        place = self._place("photo", photo.id, "of", photo.person)
        vector = photo.vector.astype("<f4").tobytes()
        return self._sum(
            (
                photo.id,
                photo.person,
                self.key_digest(photo.digest),
                self.codec.seal(bytes.fromhex(photo.digest), f"{place} digest"),
                photo.kind.view,
                photo.kind.side,
                float(photo.quality),
                photo.evidence,
                photo.created,
                vector if not self._seal_vectors else self.codec.seal(vector, place),
            )
        )

    def open_photo(self, row: Row) -> Photo:
        """Turn a row of PHOTOS into a photo."""
        self._check(f"photo {row[0]}", row)
        identifier, person, _, digest, view, side, quality, evidence, created, vector, _ = row
        place = self._place("photo", identifier, "of", person)
        plain = self.codec.open(digest, f"{place} digest").hex()
        plain_vector = self.codec.open(vector, place) if self._seal_vectors else vector
        numbers = np.frombuffer(plain_vector, dtype="<f4").astype(np.float32)
        return Photo(identifier, person, plain, HandKind(view, side), quality, evidence, created, numbers)

    def close_picture(self, photo: str, contents: bytes) -> Row:
        """Turn the bytes of a photo into a row of PICTURES."""
        return self._sum((photo, self.codec.seal(contents, self._place("picture", photo))))

    def open_picture(self, row: Row) -> bytes:
        """Turn a row of PICTURES into the bytes of the photo."""
        self._check(f"kept photo {row[0]}", row)
        return self.codec.open(row[1], self._place("picture", row[0]))

    def _place(self, *parts: str) -> str:
        return " ".join((self._collection, *parts))

    def _sum(self, fields: tuple[Any, ...]) -> Row:
        return (*fields, self.codec.sum_row(*map(_to_bytes, fields)))

    def _check(self, what: str, row: Row) -> None:
        if self.codec.sum_row(*map(_to_bytes, row[:-1])) != row[-1]:
            raise GalleryError(f"the row of {what} is not as it was written")


def _to_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else repr(value).encode()
