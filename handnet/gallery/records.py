"""What a gallery holds, row by row."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import ConfigError

Vector = npt.NDArray[np.float32]

# "" stands for unknown in both. As text of their own, so that the package of data sets is not needed to read a gallery.
VIEWS = ("dorsal", "palmar")
SIDES = ("left", "right")
MAX_NAME_CHARACTERS = 200


class HandKind(NamedTuple):
    """Which hand is seen from where.

    Attributes:
        view: "dorsal", "palmar", or "" where unknown or meaningless.
        side: "left", "right", or "" where unknown.
    """

    view: str
    side: str

    def __str__(self) -> str:
        return f"{self.side or 'unknown side'}, {self.view or 'unknown view'}"


UNKNOWN = HandKind("", "")


@dataclass(frozen=True, slots=True)
class Header:
    """What is true of a whole collection.

    Attributes:
        collection: random identifier, 32 hexadecimal digits.
        name: for people.
        model: digest of the model whose vectors the collection holds.
        width: D, numbers in a vector.
        source: where the model can be loaded from: {"kind": "run" or "saved_model", "path": …}; may be empty.
        keep_photos: whether the bytes of enrolled photos are kept.
        review: "off", "standard" or "strict".
        protection: what to derive keys from besides the secret (`protection.Codec`); empty: not protected.
        matching: the fitted `matching.pairings.Matching` as JSON.
        created: UTC, ISO 8601.
        index: how a server searches (`stores.milvus_indexes`); a folder is always searched exactly.
        shards: over how many channels a Milvus cluster spreads what is written; 1 in a folder.
    """

    collection: str
    name: str
    model: str
    width: int
    source: Mapping[str, str]
    keep_photos: bool
    review: str
    protection: Mapping[str, Any]
    matching: Mapping[str, Any]
    created: str
    index: str = "exact"
    shards: int = 1

    def to_json(self) -> str:
        """Return the fields as JSON, by name and in its order."""
        # `dataclasses.asdict` copies the matching number by number, in a tenth of a second.
        values = {column.name: getattr(self, column.name) for column in fields(self)}
        return json.dumps(values, sort_keys=True, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is enrolled.

    Attributes:
        id: random, 32 hexadecimal digits; stays when the name changes.
        name: unique in the collection, case and blanks at the ends ignored.
        created: UTC, ISO 8601.
        version: of the collection when the person or one of the photos last changed; set by the store.
    """

    id: str
    name: str
    created: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Photo:
    """One enrolled photo.

    Attributes:
        id: random, 32 hexadecimal digits.
        person: id of its person.
        digest: of the file's bytes (or the pixels), keyed where the collection is protected.
        kind: the hand and the view.
        quality: 0..1, the photo's weight in its template.
        evidence: what the vector was computed from, e.g. "hand" or "whole photo".
        created: UTC, ISO 8601.
        vector: float32 (D,), unit norm, turned by the collection's secret transform where it is protected.
    """

    id: str
    person: str
    digest: str
    kind: HandKind
    quality: float
    evidence: str
    created: str
    vector: Vector = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of a collection's log: no name, no vector, no photo.

    Attributes:
        number: ascending.
        time: UTC, ISO 8601.
        action: the verb, e.g. "add".
        subject: id of the person, or "".
        detail: counts and the like.
    """

    number: int
    time: str
    action: str
    subject: str
    detail: str


def list_spellings(name: str) -> tuple[str, ...]:
    """Return the forms in which a cleaned name may be stored: as it is, and as earlier versions took it, not composed."""
    return tuple(dict.fromkeys((name, unicodedata.normalize("NFD", name))))


def clean_name(name: str) -> str:
    """Return a person's name as it is stored: blanks at the ends are dropped, runs of blanks become one, and a letter with
    its accent is one character (Unicode's form NFC; macOS names folders in the other form).

    Raises:
        ConfigError: no characters, too many, or some that cannot be printed.
    """
    cleaned = unicodedata.normalize("NFC", " ".join(name.split()))
    if not cleaned or len(cleaned) > MAX_NAME_CHARACTERS or not cleaned.isprintable():
        raise ConfigError(
            f"A person's name must be 1 to {MAX_NAME_CHARACTERS} printable characters. Received: {name[:60]!r}."
        )
    return cleaned


def check_kind(view: str, side: str) -> HandKind:
    """Return the kind of a hand that a user names.

    Raises:
        ConfigError: another word than the valid ones or "".
    """
    for what, value, valid in (("view", view, VIEWS), ("side", side, SIDES)):
        if value and value not in valid:
            raise ConfigError(f"`{what}` must be {', '.join(valid)} or blank. Received: {value[:60]!r}.")
    return HandKind(view, side)


def decide_kind(seen: HandKind, view: str, side: str) -> HandKind:
    """Return the kind of a hand: what the user says where they say something, else what the model sees."""
    return HandKind(view or seen.view, side or seen.side)


def describe_contradiction(seen: HandKind, said: HandKind) -> tuple[str, ...]:
    """Return in words, one entry for each, where a photo shows another hand than the one that was named.

    Args:
        seen: by the hand front end, "" where it does not know.
        said: the kind by which the photo is used.
    """
    return tuple(
        f"the photo shows a {a} hand, and {b} was given" for a, b in zip(seen, said, strict=True) if a and a != b
    )
