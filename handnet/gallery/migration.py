"""From one model to another: every photo is embedded again, or nothing is changed."""

from collections.abc import Mapping
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
from handnet.gallery.stores.store import Store

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
    snapshot = store.read_since(-1)
    names = {person.id: person.name for person in snapshot.people}
    outside = _find_files(photos) if photos is not None else {}
    codec = store.codec.fit(encoder.width)
    moved: list[Photo] = []
    failures: dict[str, list[str]] = {}
    for start in range(0, len(snapshot.photos), _BATCH):
        block = []
        for photo in snapshot.photos[start : start + _BATCH]:
            contents = _find_picture(store, photo, outside)
            if contents is None:
                failures.setdefault(names[photo.person], []).append("the photo was not kept")
            else:
                block.append((photo, contents))
        embedded = encoder.embed([contents for _, contents in block]) if block else []
        for (photo, _), result in zip(block, embedded, strict=True):
            if result.vector is None:
                failures.setdefault(names[photo.person], []).append(result.reason)
                continue
            vector = np.asarray(codec.turn(result.vector[None])[0], np.float32)
            moved.append(replace(photo, vector=vector, quality=result.quality, evidence=result.evidence))
        if progress is not None:
            progress(min(start + _BATCH, len(snapshot.photos)), len(snapshot.photos))
    stuck = tuple(Stuck(name, len(reasons), reasons[0]) for name, reasons in sorted(failures.items()))
    if dry_run:
        return Migration(len(names), len(moved), stuck, False)
    if stuck:
        some = ", ".join(repr(row.name) for row in stuck[:5]) + (" and others" if len(stuck) > 5 else "")
        raise GalleryError(
            f"{len(stuck):,} of {len(names):,} people cannot be migrated ({some}: {stuck[0].reason}), so nothing was changed. "
            "Give the folder of their photos with --photos DIR, or remove them first."
        )
    with store.write() as changes:
        if store.read_version() != snapshot.version:
            raise GalleryError("The gallery was changed during the migration, so nothing was changed. Repeat it.")
        changes.header = replace(
            store.header,
            model=encoder.digest,
            width=encoder.width,
            source=encoder.source,
            matching=matching_to_json(matching),
        )
        changes.put_photos = moved
        changes.action, changes.detail = "migrate", f"{len(moved)} photos"
    store.compact()
    return Migration(len(names), len(moved), (), True)


def _find_picture(store: Store, photo: Photo, outside: Mapping[str, Path]) -> bytes | None:
    kept = store.read_picture(photo.id)
    if kept is not None:
        return kept
    path = outside.get(photo.digest)
    return None if path is None else read_photo(str(path))[0]


def _find_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise GalleryError(f"There is no folder {str(folder)!r} of photos.")
    # What cannot be read, or is larger than any photo, is nobody's photo.
    read = ((path, *read_photo(str(path))) for path in sorted(folder.rglob("*")))
    return {digest_contents(contents): path for path, contents, reason in read if not reason}
