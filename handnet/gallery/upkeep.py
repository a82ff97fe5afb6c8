"""Upkeep of a gallery: look for damage and label noise, write its vectors to a file."""

from pathlib import Path

import numpy as np

from handnet.errors import DataError
from handnet.gallery.answers import CheckReport
from handnet.gallery.index import TemplateIndex
from handnet.gallery.noise import find_duplicates, find_misplaced, find_same_people
from handnet.gallery.pairings import Matching
from handnet.gallery.stores.store import Store
from handnet.metrics.embedded import EmbeddedPart, check_vector_file


def check_store(store: Store, matching: Matching) -> CheckReport:
    """Look for damage, and for label noise where there is none.

    Args:
        store: the truth.
        matching: the calibrations.
    """
    damage = store.check()
    if damage:
        return CheckReport(tuple(damage), (), (), ())
    snapshot = store.read_since(-1)
    index = TemplateIndex(matching, store.header.width)
    index.refresh(store)
    return CheckReport(
        (),
        tuple(find_same_people(index)),
        tuple(find_misplaced(snapshot.people, snapshot.photos, index, matching)),
        tuple(find_duplicates(snapshot.people, snapshot.photos)),
    )


def export_vectors(store: Store, target: Path) -> int:
    """Write names and vectors to a file; see `Gallery.export`.

    Args:
        store: the truth.
        target: a file that ends with .npz or .parquet.

    Returns:
        Photos that were written.
    """
    check_vector_file(target)
    snapshot = store.read_since(-1)
    if not snapshot.photos:
        raise DataError("There is nothing to export: nobody is enrolled.")
    names = {person.id: person.name for person in snapshot.people}
    vectors = store.codec.turn_back(np.stack([photo.vector for photo in snapshot.photos]))
    part = EmbeddedPart(
        vectors,
        np.array([names[photo.person] for photo in snapshot.photos]),
        np.array([photo.kind.view for photo in snapshot.photos]),
        np.array([photo.kind.side for photo in snapshot.photos]),
        ({},) * len(vectors),
        ("",) * len(vectors),
        store.header.name,
    )
    part.save(target, private=True)
    return len(vectors)
