"""From one model to another: every photo is embedded again, or nothing is changed."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handnet.console import Count
from handnet.data.checks import read_photo
from handnet.errors import GalleryError
from handnet.gallery.pairings import Matching, matching_to_json
from handnet.gallery.photo_encoder import PhotoEncoder
from handnet.gallery.protection import digest_contents
from handnet.gallery.records import Photo
from handnet.gallery.stores.store import Block, Contents, Store

_BATCH = 64


class Stuck(NamedTuple):
    """A person who cannot be migrated.

    Attributes:
        name: of the person.
        num_photos: photos that cannot be embedded again.
        reason: why, of the first of them.
    """

    name: str
    num_photos: int
    reason: str


class Migration(NamedTuple):
    """What a migration would do, or did.

    Attributes:
        num_people: in the collection.
        num_photos: that the new model can embed.
        stuck: people who cannot be migrated; with any of them nothing is changed.
        done: whether the collection was changed.
    """

    num_people: int
    num_photos: int
    stuck: tuple[Stuck, ...]
    done: bool


def migrate(
    store: Store,
    encoder: PhotoEncoder,
    matching: Matching,
    *,
    dry_run: bool = False,
    photos: Path | None = None,
    progress: Count | None = None,
) -> Migration:
    """Embed every enrolled photo with another model and bind the collection to it.

    Args:
        store: the collection.
        encoder: the new model.
        matching: its calibrations.
        dry_run: only say what would happen.
        photos: a folder in which photos that were not kept are looked for, by their contents.
        progress: called with (photos done, photos in all).

    Raises:
        GalleryError: somebody cannot be migrated and it is no dry run, or the collection was changed meanwhile.
    """
    contents = store.read_contents()
    with _PhotoFiles(photos) as files:
        embedding = _Embedding(store, encoder, files, contents, progress)
        if dry_run:
            for _ in embedding.embed_blocks():
                pass
            return Migration(contents.num_people, embedding.num_embedded, embedding.list_stuck(), False)
        header = replace(
            store.header,
            model=encoder.digest,
            width=encoder.width,
            source=encoder.source,
            matching=matching_to_json(matching),
        )
        store.replace_all(header, _need_all(embedding), contents.version, "migrate")
    return Migration(contents.num_people, embedding.num_embedded, (), True)


class _Embedding:
    """Embeds everybody again, block by block, and remembers who cannot be."""

    def __init__(
        self, store: Store, encoder: PhotoEncoder, files: "_PhotoFiles", contents: Contents, progress: Count | None
    ) -> None:
        self._store, self._encoder, self._files, self._progress = store, encoder, files, progress
        self._codec = store.codec.fit(encoder.width)
        self.contents = contents
        self.num_embedded = 0
        self._failures: dict[str, list[str]] = {}

    def embed_blocks(self) -> Iterator[Block]:
        """Go through everybody and give the photos that could be embedded, with their new vectors."""
        num_done = 0
        for people, photos in self.contents.blocks:
            names = {person.id: person.name for person in people}
            moved: list[Photo] = []
            for start in range(0, len(photos), _BATCH):
                moved += self._embed(photos[start : start + _BATCH], names)
                num_done += len(photos[start : start + _BATCH])
                if self._progress is not None:
                    self._progress(num_done, self.contents.num_photos)
            self.num_embedded += len(moved)
            yield Block(people, moved)

    @property
    def is_stuck(self) -> bool:
        """Whether somebody could not be embedded so far."""
        return bool(self._failures)

    def list_stuck(self) -> tuple[Stuck, ...]:
        """Return who could not be embedded, by name."""
        return tuple(Stuck(name, len(reasons), reasons[0]) for name, reasons in sorted(self._failures.items()))

    def _embed(self, photos: Sequence[Photo], names: Mapping[str, str]) -> Iterator[Photo]:
        found = []
        for photo in photos:
            contents = self._find_picture(photo)
            if contents is None:
                self._failures.setdefault(names[photo.person], []).append("the photo was not kept")
            else:
                found.append((photo, contents))
        embedded = self._encoder.embed([contents for _, contents in found]) if found else []
        for (photo, _), result in zip(found, embedded, strict=True):
            if result.vector is None:
                self._failures.setdefault(names[photo.person], []).append(result.reason)
                continue
            vector = np.asarray(self._codec.turn(result.vector[None])[0], np.float32)
            yield replace(photo, vector=vector, quality=result.quality, evidence=result.evidence)

    def _find_picture(self, photo: Photo) -> bytes | None:
        kept = self._store.read_picture(photo.id)
        if kept is not None:
            return kept
        path = self._files.find(photo.digest)
        return None if path is None else read_photo(path)[0]


def _need_all(embedding: _Embedding) -> Iterator[Block]:
    """Give all blocks, and raise GalleryError after the last one where somebody is stuck."""
    for block in embedding.embed_blocks():
        if not embedding.is_stuck:
            yield block
    stuck = embedding.list_stuck()
    if stuck:
        some = ", ".join(repr(row.name) for row in stuck[:5]) + (" and others" if len(stuck) > 5 else "")
        raise GalleryError(
            f"{len(stuck):,} of {embedding.contents.num_people:,} people cannot be migrated ({some}: {stuck[0].reason}), so "
            "nothing was changed. Give the folder of their photos with --photos DIR, or remove them first."
        )


class _PhotoFiles:
    """Finds photos of a folder by their contents; the table is on the disk, since there may be millions of them."""

    def __init__(self, folder: Path | None) -> None:
        # An empty name: a temporary file of SQLite's, which goes with the connection.
        self._table = sqlite3.connect("")
        self._table.execute("CREATE TABLE files (digest TEXT PRIMARY KEY, path BLOB NOT NULL) WITHOUT ROWID")
        if folder is None:
            return
        if not folder.is_dir():
            raise GalleryError(f"There is no folder {str(folder)!r} of photos.")
        for path in folder.rglob("*"):
            contents, reason = read_photo(str(path))
            # What cannot be read, or is larger than any photo, is nobody's photo.
            if not reason:
                row = (digest_contents(contents), os.fsencode(path))
                self._table.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", row)

    def __enter__(self) -> "_PhotoFiles":
        return self

    def __exit__(self, *error: object) -> None:
        self._table.close()

    def find(self, digest: str) -> str | None:
        """Return the path of a file with these contents, or None."""
        row = self._table.execute("SELECT path FROM files WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else os.fsdecode(row[0])
