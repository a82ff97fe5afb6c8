"""Enrolment: photos of a person are embedded, reviewed and written in one transaction."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from handnet.errors import DataError, HandnetError
from handnet.gallery.pairings import Matching
from handnet.gallery.photo_encoder import Embedded, PhotoEncoder, PhotoInput, name_photo, read_contents
from handnet.gallery.protection import digest_contents
from handnet.gallery.records import HandKind, Person, Photo, check_kind, clean_name, decide_kind
from handnet.gallery.review import LEVELS, NUM_NEAREST, Candidate, review_photo
from handnet.gallery.search import PersonSearch
from handnet.gallery.stores.store import Store


class Entry(NamedTuple):
    """A photo to be enrolled.

    Attributes:
        photo: file, bytes of a file, or uint8 array (H, W, 3).
        view: "dorsal", "palmar", or "": as the model sees it.
        side: "left", "right", or "": as the model sees it.
        title: what to call it in messages; "": its path or number.
    """

    photo: PhotoInput
    view: str = ""
    side: str = ""
    title: str = ""


class Accepted(NamedTuple):
    """A photo that was enrolled.

    Attributes:
        photo: what was given, in words.
        id: of the enrolled photo.
        kind: the hand and the view.
        quality: 0..1.
        remarks: what the review says all the same.
    """

    photo: str
    id: str
    kind: HandKind
    quality: float
    remarks: tuple[str, ...]


class Refused(NamedTuple):
    """A photo that was not enrolled.

    Attributes:
        photo: what was given, in words.
        reason: why.
    """

    photo: str
    reason: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of enrolling photos of one person. What is in `accepted` is on disk.

    Attributes:
        name: of the person.
        accepted: photos that were enrolled.
        refused: photos that were not, each with its reason.
        is_new: the person was not enrolled before; false too where nothing was accepted.
    """

    name: str
    accepted: tuple[Accepted, ...]
    refused: tuple[Refused, ...]
    is_new: bool


class _Prepared(NamedTuple):
    title: str
    contents: bytes
    picture: bytes
    digest: str
    embedded: Embedded
    kind: HandKind


def enrol(
    store: Store,
    search: PersonSearch,
    encoder: PhotoEncoder,
    matching: Matching,
    name: str,
    entries: Sequence[Entry],
    level: str,
) -> Enrolment:
    """Enrol photos of one person; those that can be used are enrolled even where others cannot.

    Args:
        store: the truth.
        search: of the same collection.
        encoder: the collection's model.
        matching: the calibrations.
        name: of the person, new or enrolled already.
        entries: the photos.
        level: of the review.

    Raises:
        ConfigError: a name that cannot be used, or an unknown view or side.
    """
    name = clean_name(name)
    for entry in entries:
        check_kind(entry.view, entry.side)
    prepared, refused = _prepare(encoder, entries, store.header.keep_photos)
    accepted: list[Accepted] = []
    # Embedding is slow and needs no lock; the review must see what the photos will be written to.
    with store.write() as changes:
        person = store.find_person(name)
        is_new = person is None
        person = person or Person(new_id(), name, now())
        own = [] if is_new else store.read_photos([person.id])
        known = {photo.digest: photo for photo in store.find_photos([row.digest for row in prepared])}
        for row in prepared:
            vector = store.codec.turn(_check_vector(row.embedded, store.header.width)[None])[0]
            if row.digest in known:
                refused.append(Refused(row.title, _explain_known(known[row.digest], person.id)))
                continue
            candidate = Candidate(row.embedded, row.kind, vector)
            findings = []
            if LEVELS[level]:
                found = search.find(row.kind, vector, NUM_NEAREST)
                others = found.hits.without(person.id)
                findings = review_photo(candidate, own, others, matching, found.num_people, level)
            against = [finding.message for finding in findings if finding.refuses]
            if against:
                refused.append(Refused(row.title, "; ".join(against)))
                continue
            photo = Photo(
                new_id(), person.id, row.digest, row.kind, row.embedded.quality, row.embedded.evidence, now(), vector
            )
            own.append(photo)
            known[row.digest] = photo
            changes.put_photos.append(photo)
            if store.header.keep_photos:
                changes.pictures[photo.id] = row.picture
            remarks = tuple(finding.message for finding in findings)
            accepted.append(Accepted(row.title, photo.id, row.kind, photo.quality, remarks))
        if accepted and is_new:
            changes.put_people.append(person)
        changes.action, changes.subject = "add", person.id
        changes.detail = f"{len(accepted)} photos, {len(refused)} refused"
    return Enrolment(person.name, tuple(accepted), tuple(refused), is_new and bool(accepted))


def new_id() -> str:
    """Return a random identifier, 32 hexadecimal digits."""
    return secrets.token_hex(16)


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _prepare(
    encoder: PhotoEncoder, entries: Sequence[Entry], keep_photos: bool
) -> tuple[list[_Prepared], list[Refused]]:
    refused, readable = [], []
    for number, entry in enumerate(entries, 1):
        title = entry.title or name_photo(entry.photo, number)
        try:
            readable.append((title, entry, read_contents(entry.photo)))
        except DataError as error:
            refused.append(Refused(title, str(error)))
    # The very bytes that were digested are embedded, whatever becomes of the file meanwhile.
    photos = [entry.photo if isinstance(entry.photo, np.ndarray) else contents for _, entry, contents in readable]
    prepared = []
    for (title, entry, contents), embedded in zip(readable, encoder.embed(photos) if photos else [], strict=True):
        if embedded.vector is None:
            refused.append(Refused(title, embedded.reason))
            continue
        picture = _to_picture(entry.photo, contents) if keep_photos else b""
        kind = decide_kind(embedded.kind, entry.view, entry.side)
        prepared.append(_Prepared(title, contents, picture, digest_contents(contents), embedded, kind))
    return prepared, refused


def _check_vector(embedded: Embedded, width: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    vector = embedded.vector
    assert vector is not None, "photos without a vector were refused before"
    if vector.shape != (width,) or not np.isfinite(vector).all() or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
        raise HandnetError(
            f"The model gave no unit vector of {width} numbers. Received: shape {vector.shape}, "
            f"norm {float(np.linalg.norm(vector)):.4g}."
        )
    return vector


def _explain_known(photo: Photo, person: str) -> str:
    if photo.person == person:
        return "this very photo is enrolled already"
    return "this very photo is enrolled for another person: remove it there, or merge the two"


def _to_picture(photo: PhotoInput, contents: bytes) -> bytes:
    """Return the bytes to be kept: those of the file, or an array's as PNG, which loses nothing."""
    if not isinstance(photo, np.ndarray):
        return contents
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    return buffer.getvalue()
