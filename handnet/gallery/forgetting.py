"""Forgetting a person, with proof: their bytes are found before and nowhere after."""

from typing import NamedTuple

from handnet.errors import GalleryError
from handnet.gallery.records import Person, clean_name
from handnet.gallery.stores.store import Store


class Forgotten(NamedTuple):
    """The proof that nothing is left of a person.

    Attributes:
        name: of the person.
        num_photos: photos that were removed.
        num_traces: byte strings that were searched for: keys, names, digests, vectors, kept photos.
        found_before: files in which they lay.
        unsearched: what could not be searched, in words.
    """

    name: str
    num_photos: int
    num_traces: int
    found_before: tuple[str, ...]
    unsearched: str


def forget(store: Store, name: str) -> Forgotten:
    """Remove a person and search the store's files for what was stored of them.

    Args:
        store: the collection.
        name: of the person.

    Raises:
        GalleryError: nobody of that name, or something was found afterwards.
    """
    # Before the transaction, since others would wait for the search: a large server takes long to go through.
    before = store.find_bytes(store.read_traces(_find(store, name).id))
    if not before and not store.unsearched:
        raise GalleryError(f"The search did not find {name!r} before the removal, so it proves nothing. Report this.")
    with store.write() as changes:
        person = _find(store, name)
        photos = store.read_photos([person.id])
        # Once more: a photo may have been added meanwhile.
        traces = store.read_traces(person.id)
        changes.remove_people.append(person.id)
        changes.action, changes.subject, changes.detail = "forget", person.id, f"{len(photos)} photos"
    store.compact()
    after = store.find_bytes(traces)
    if after:
        raise GalleryError(f"{name!r} was removed, but bytes of theirs are still in {', '.join(after)}.")
    return Forgotten(person.name, len(photos), len(traces), tuple(before), store.unsearched)


def _find(store: Store, name: str) -> Person:
    person = store.find_person(clean_name(name))
    if person is None:
        raise GalleryError(
            f"Nobody is enrolled as {name!r}. If an earlier forget was stopped before its end, remove what it left in the "
            "files: handnet gallery compact."
        )
    return person
