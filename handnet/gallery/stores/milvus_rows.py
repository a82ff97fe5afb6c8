"""Rows as they lie on a Milvus server: a few fields to filter by, the rest as text, and the vector."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handnet.gallery.records import HandKind, Person, Photo
from handnet.gallery.stores.rows import PHOTOS, Row, RowCodec
from handnet.gallery.stores.store import Composition, Group
from handnet.gallery.templates import Template, build_templates

# Milvus takes 65,535 bytes of text in a field.
TEXT_BYTES = 60_000
MARK_BYTES = 32
READ_FIELDS = ("item", "owner", "mark", "batch", "body", "vector")
_VECTOR = PHOTOS.columns.index("vector")

ServerRow = dict[str, Any]


class Head(NamedTuple):
    """The newest commit.

    Attributes:
        version: number of its batch.
        epoch: rises with another key or model.
        header_parts: rows that make up the header.
        composition: how many people have which templates, as text.
    """

    version: int
    epoch: int
    header_parts: int
    composition: Mapping[str, int]


class RowWriter:
    """Makes the rows of one batch."""

    def __init__(self, rows: RowCodec, width: int, batch: int) -> None:
        """Fix what all rows share.

        Args:
            rows: closes records.
            width: D.
            batch: number of the commit.
        """
        self._rows = rows
        self._nothing = [0.0] * width
        self._batch = batch

    def make(
        self, kind: str, item: str, *, owner: str = "", mark: str = "", body: str = "", vector: Any = None
    ) -> ServerRow:
        """Make a row.

        Args:
            kind: "person", "photo", "template", "gone", "header", "audit" or "head".
            item: what it is about: an id or a number.
            owner: id of the person.
            mark: what it is found by.
            body: text.
            vector: float32 (D,), or None.
        """
        numbers = self._nothing if vector is None else np.asarray(vector, np.float32).tolist()
        key = f"{kind}/{item}/{self._batch}"
        return {
            "key": key,
            "kind": kind,
            "item": item,
            "owner": owner,
            "mark": mark,
            "batch": self._batch,
            "body": body,
            "vector": numbers,
        }

    def make_person(self, person: Person) -> ServerRow:
        """Make the row of a person."""
        row = self._rows.close_person(person)
        return self.make("person", person.id, owner=person.id, mark=row[1], body=_write_body(row))

    def make_photo(self, photo: Photo) -> ServerRow:
        """Make the row of a photo; its vector lies in a field of its own."""
        row = list(self._rows.close_photo(photo))
        row[_VECTOR] = ""
        return self.make(
            "photo", photo.id, owner=photo.person, mark=str(row[2]), body=_write_body(row), vector=photo.vector
        )

    def make_template(self, template: Template) -> ServerRow:
        """Make the row of a template, which the server searches."""
        mark = name_group((template.kind, template.num_photos == 1))
        body = json.dumps([*template.kind, template.num_photos])
        item = f"{template.person}-{template.kind.view}-{template.kind.side}"
        return self.make("template", item, owner=template.person, mark=mark, body=body, vector=template.vector)

    def make_header(self, header: str) -> list[ServerRow]:
        """Make the rows of a header's text, which may be longer than a field."""
        raw = base64.b64encode(header.encode()).decode("ascii")
        parts = [raw[start : start + TEXT_BYTES] for start in range(0, len(raw), TEXT_BYTES)]
        return [self.make("header", str(number), body=part) for number, part in enumerate(parts)]

    def make_head(self, head: Head) -> ServerRow:
        """Make the row that commits a batch."""
        return self.make("head", str(head.version), body=json.dumps(head))


def read_head(rows: Iterable[ServerRow]) -> Head:
    """Return the newest of the head rows."""
    return max((Head(*json.loads(row["body"])) for row in rows), key=lambda head: head.version)


def read_header(rows: Iterable[ServerRow], num_parts: int) -> dict[str, Any] | None:
    """Return a header's fields from its rows, or None where some are missing."""
    parts = sorted((int(row["item"]), str(row["body"])) for row in rows)
    if len(parts) != num_parts:
        return None
    fields: dict[str, Any] = json.loads(base64.b64decode("".join(part for _, part in parts)))
    return fields


def read_person(row: ServerRow, rows: RowCodec) -> Person:
    """Return the person of a row."""
    return rows.open_person(_read_body(row["body"]))


def read_photo(row: ServerRow, rows: RowCodec) -> Photo:
    """Return the photo of a row."""
    fields = list(_read_body(row["body"]))
    fields[_VECTOR] = to_bytes(row["vector"])
    return rows.open_photo(fields)


def read_template(row: ServerRow) -> Template:
    """Return the template of a row."""
    view, side, num_photos = json.loads(row["body"])
    return Template(row["owner"], HandKind(view, side), int(num_photos), np.asarray(row["vector"], np.float32))


def keep_newest(rows: Iterable[ServerRow], gone: Mapping[str, int]) -> list[ServerRow]:
    """Return the newest row of each item, without those that are gone.

    Args:
        rows: of people or photos.
        gone: in which batch an item was removed.
    """
    newest: dict[str, ServerRow] = {}
    for row in rows:
        if row["batch"] >= newest.get(row["item"], row)["batch"]:
            newest[row["item"]] = row
    return [row for row in newest.values() if gone.get(row["item"], -1) < row["batch"]]


def compose(people: Iterable[str], photos: Iterable[Photo]) -> Counter[tuple[Group, ...]]:
    """Count people by the kinds of their templates.

    Args:
        people: ids, those without photos too.
        photos: of any people.
    """
    groups: dict[str, list[Group]] = {person: [] for person in people}
    for template in build_templates(photos):
        if template.person in groups:
            groups[template.person].append((template.kind, template.num_photos == 1))
    return Counter(tuple(sorted(found)) for found in groups.values())


def write_composition(composition: Composition) -> Counter[str]:
    """Return a composition with its keys as text."""
    return Counter({" ".join(map(name_group, groups)): count for groups, count in composition.items()})


def read_composition(text: Mapping[str, int]) -> dict[tuple[Group, ...], int]:
    """Undo `write_composition`."""
    return {tuple(map(_read_group, key.split())): count for key, count in text.items()}


def name_group(group: Group) -> str:
    """Return a kind of templates as text, e.g. "palmar/left/one"."""
    kind, single = group
    return f"{kind.view}/{kind.side}/{'one' if single else 'several'}"


def to_bytes(vector: Sequence[float]) -> bytes:
    """Return a vector's float32 bytes, little-endian."""
    return np.asarray(vector, dtype="<f4").tobytes()


def _read_group(text: str) -> Group:
    view, side, photos = text.split("/")
    return HandKind(view, side), photos == "one"


def _write_body(row: Row) -> str:
    values = [{"b": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value for value in row]
    return json.dumps(values)


def _read_body(body: str) -> Row:
    return [base64.b64decode(value["b"]) if isinstance(value, dict) else value for value in json.loads(body)]
