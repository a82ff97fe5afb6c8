"""The people of a gallery: list, show, rename, remove and merge them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from handnet.errors import GalleryError
from handnet.gallery.answers import PersonSummary
from handnet.gallery.records import HandKind, Person, clean_name
from handnet.gallery.stores.store import Store


def list_people(store: Store) -> Sequence[PersonSummary]:
    """Return everybody, sorted by name.

    Args:
        store: the truth.
    """
    snapshot = store.read_since(-1)
    kinds: dict[str, Counter[HandKind]] = {person.id: Counter() for person in snapshot.people}
    for photo in snapshot.photos:
        kinds[photo.person][photo.kind] += 1
    rows = [
        PersonSummary(person.name, sum(kinds[person.id].values()), dict(kinds[person.id]), person.created, person.id)
        for person in snapshot.people
    ]
    return sorted(rows, key=lambda row: (row.name.casefold(), row.name))


def find_named(store: Store, name: str) -> Person:
    """Return the person of a name.

    Raises:
        GalleryError: nobody of that name.
        ConfigError: no name can be written like this.
    """
    person = store.find_person(clean_name(name))
    if person is None:
        raise GalleryError(f"Nobody is enrolled as {name!r}. See handnet gallery list.")
    return person


def rename_person(store: Store, name: str, new_name: str) -> None:
    """Give a person another name; see `Gallery.rename`.

    Args:
        store: the truth.
        name: of the person.
        new_name: what to call the person from now on.
    """
    new_name = clean_name(new_name)
    with store.write() as changes:
        person = find_named(store, name)
        other = store.find_person(new_name)
        if other is not None and other.id != person.id:
            raise GalleryError(
                f"Somebody is enrolled as {other.name!r} already. Use merge if they are one person, or another name."
            )
        changes.put_people.append(replace(person, name=new_name))
        changes.action, changes.subject = "rename", person.id
    # The old name is personal data too.
    store.compact()


def remove_person(store: Store, name: str, photo: str = "") -> int:
    """Remove a person, or one of the person's photos; see `Gallery.remove`.

    Args:
        store: the truth.
        name: of the person.
        photo: id of a photo or its unique beginning; "": the person.

    Returns:
        Photos that were removed.
    """
    with store.write() as changes:
        person = find_named(store, name)
        photos = store.read_photos([person.id])
        changes.action, changes.subject = "remove", person.id
        if photo:
            chosen = [row for row in photos if row.id.startswith(photo)]
            if len(chosen) != 1:
                raise GalleryError(
                    f"{len(chosen)} photos of {person.name!r} have an id that begins with {photo!r}; expected one. "
                    "See handnet gallery show."
                )
            changes.remove_photos.append(chosen[0].id)
        else:
            chosen = photos
            changes.remove_people.append(person.id)
        changes.detail = f"{len(chosen)} photos"
    store.compact()
    return len(chosen)


def merge_people(store: Store, name: str, other: str) -> int:
    """Make one person of two; see `Gallery.merge`.

    Args:
        store: the truth.
        name: of the person who stays.
        other: of the person whose photos are moved.

    Returns:
        Photos that were moved.
    """
    with store.write() as changes:
        person, second = find_named(store, name), find_named(store, other)
        if person.id == second.id:
            raise GalleryError(f"{name!r} and {other!r} are the same person already.")
        photos = store.read_photos([second.id])
        changes.put_photos += [replace(photo, person=person.id) for photo in photos]
        changes.remove_people.append(second.id)
        changes.action, changes.subject = "merge", person.id
        changes.detail = f"{len(photos)} photos of {second.id}"
    store.compact()
    return len(photos)
