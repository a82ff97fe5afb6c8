"""What every store keeps to: one set of tests for the folder and for the server."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import ConfigError, GalleryError
from handnet.gallery.protection import Codec, Key, digest_contents
from handnet.gallery.records import HandKind, Header, Person, Photo
from handnet.gallery.stores import STORES, create_store, open_store
from handnet.gallery.stores.store import Block, Store
from tests.gallery.simulated import WIDTH, draw_vector

KEY = Key(bytes(range(32)))
Make = Callable[..., Store]


def make_header(key: Key | None = None, **more: object) -> Header:
    fields = {
        "collection": "c" * 32,
        "name": "test",
        "model": "m" * 32,
        "width": WIDTH,
        "source": {"kind": "simulated"},
        "keep_photos": False,
        "review": "standard",
        "protection": Codec.describe_new(WIDTH, key),
        "matching": {"origin": "é" * 70_000},
        "created": "2026-01-01T00:00:00Z",
    }
    return Header(**(fields | more))  # type: ignore[arg-type]


def make_person(number: int, name: str = "") -> Person:
    return Person(f"{number:032x}", name or f"Person {number}", "2026-01-01T00:00:00Z")


def make_photo(store: Store, person: int, number: int, view: str = "palmar") -> Photo:
    vector = store.codec.turn(draw_vector(person, view, shot=number)[None])[0]
    digest = digest_contents(f"{person} {view} {number}".encode())
    identifier = f"{person:016x}{view[0].encode().hex()}{number:014x}"
    return Photo(
        identifier, f"{person:032x}", digest, HandKind(view, "left"), 0.75, "hand", "2026-01-01T00:00:00Z", vector
    )


def fill(store: Store, people: range = range(3), photos: int = 2) -> None:
    with store.write() as changes:
        changes.put_people = [make_person(number) for number in people]
        changes.put_photos = [make_photo(store, person, number) for person in people for number in range(photos)]
        changes.action, changes.subject, changes.detail = "add", f"{people[0]:032x}", "some"


def dump(store: Store) -> tuple[dict[str, str], dict[str, tuple[object, ...]]]:
    """Return all that a store holds in a form that can be compared."""
    snapshot = store.read_since(-1)
    assert snapshot.ids == {person.id for person in snapshot.people}
    photos = {
        photo.id: (photo.person, photo.digest, photo.kind, photo.quality, photo.evidence, photo.vector.tobytes())
        for photo in snapshot.photos
    }
    return {person.id: person.name for person in snapshot.people}, photos


# The server without a key is tested too: where the key is rotated away.
@pytest.fixture(
    params=["folder", "folder with a key", pytest.param("milvus with a key", marks=pytest.mark.slow)],
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """A function that makes a store, or with `again=True` opens it once more."""
    key = KEY if "key" in request.param else None
    address = request.getfixturevalue("milvus")[0] if "milvus" in request.param else ""
    place = "g" + os.urandom(4).hex() if address else str(tmp_path / "store")
    opened: list[Store] = []

    def make_store(again: bool = False, key: Key | None = key, **more: object) -> Store:
        store = (
            open_store(place, address, key) if again else create_store(place, address, make_header(key, **more), key)
        )
        opened.append(store)
        return store

    yield make_store
    for store in opened:
        store.close()


def test_every_kind_of_store_is_tested() -> None:
    assert set(STORES) == {"folder", "milvus+http", "milvus+https"}


@pytest.mark.parametrize("address", ["sqlite", "http://127.0.0.1:1", "milvus", "milvus+http://", "milvus+http:"])
def test_unknown_store_is_refused_with_the_valid_ones(address: str) -> None:
    with pytest.raises(ConfigError, match=r"milvus\+http"):
        open_store("g", address)


def test_what_was_written_is_read_by_another(make: Make) -> None:
    store = make()
    assert store.header == make(again=True).header
    fill(store)
    other = make(again=True)
    assert dump(other) == dump(store)
    assert other.read_version() == 1
    people, photos = dump(other)
    assert people == {f"{n:032x}": f"Person {n}" for n in range(3)}
    assert len(photos) == 6
    assert other.check() == []
    exact = store.codec.turn(draw_vector(2, "palmar", shot=1)[None])[0]
    found = next(p for p in other.read_photos([f"{2:032x}"]) if p.id == make_photo(store, 2, 1).id)
    assert found.vector.tobytes() == exact.tobytes(), "vectors are kept bit by bit"


def test_a_gallery_is_made_once(make: Make) -> None:
    make()
    with pytest.raises(GalleryError, match="exists"):
        make()


def test_missing_gallery_is_one_line(milvus: tuple[str, Path], tmp_path: Path) -> None:
    for place, address in ((str(tmp_path / "none"), ""), ("none", milvus[0])):
        with pytest.raises(GalleryError, match="There is no gallery"):
            open_store(place, address)


def test_names_are_found_whatever_their_case(make: Make) -> None:
    store = make()
    with store.write() as changes:
        changes.put_people = [make_person(1, "Straße Ö")]
    found = store.find_person("STRASSE ö")
    assert found is not None
    assert found.name == "Straße Ö"
    assert store.find_person("Strass") is None
    assert store.find_person("x' or '1' == '1") is None


def test_people_are_found_by_their_id(make: Make) -> None:
    store = make()
    fill(store)
    found = store.read_person(f"{1:032x}")
    assert found is not None
    assert (found.id, found.name) == (f"{1:032x}", "Person 1")
    assert store.read_person(f"{77:032x}") is None
    with store.write() as changes:
        changes.remove_people = [f"{1:032x}"]
    assert store.read_person(f"{1:032x}") is None


def test_photos_are_found_by_their_contents(make: Make) -> None:
    store = make()
    fill(store)
    wanted = make_photo(store, 1, 1)
    assert [photo.id for photo in store.find_photos([wanted.digest, "0" * 32])] == [wanted.id]
    assert store.find_photos([]) == []


def test_an_error_inside_changes_nothing(make: Make) -> None:
    store = make()
    fill(store)
    before = dump(store)
    with pytest.raises(ZeroDivisionError), store.write() as changes:
        changes.remove_people, changes.put_people = [f"{0:032x}"], [make_person(1 // len(changes.pictures))]
    with pytest.raises(GalleryError, match="numbers"), store.write() as changes:
        changes.put_people, changes.put_photos = [make_person(7)], [replace(make_photo(store, 7, 0), vector=np.ones(1))]
    assert dump(store) == before
    assert store.read_version() == 1
    fill(store, range(8, 9))
    assert len(dump(store)[0]) == 4, "the next writer is not kept out"


def test_nothing_to_change_is_no_commit(make: Make) -> None:
    store = make()
    with store.write() as changes:
        changes.action = "add"
    assert store.read_version() == 0
    assert store.read_audit() == []


def test_changes_are_seen_after_the_commit_only(make: Make) -> None:
    store, other = make(), make(again=True)
    with store.write() as changes:
        changes.put_people = [make_person(1)]
        assert store.find_person("Person 1") is None
        assert dump(other)[0] == {}
    assert store.find_person("Person 1") is not None
    assert len(dump(other)[0]) == 1


def test_what_changed_since(make: Make) -> None:
    store = make()
    fill(store)
    with store.write() as changes:
        changes.put_photos = [make_photo(store, 1, 9)]
    with store.write() as changes:
        changes.remove_people = [f"{2:032x}"]
    since = store.read_since(1)
    assert since.version == 3
    assert since.ids == {f"{n:032x}" for n in (0, 1)}
    assert [person.id for person in since.people] == [f"{1:032x}"], "a new photo changes its person"
    assert len(since.photos) == 3
    assert store.read_since(3).people == []


def test_remove_one_photo_and_a_person(make: Make) -> None:
    store = make()
    fill(store)
    gone = make_photo(store, 0, 1).id
    with store.write() as changes:
        changes.remove_photos = [gone]
    people, photos = dump(store)
    assert len(people) == 3
    assert gone not in photos
    assert len(photos) == 5
    with store.write() as changes:
        changes.remove_people = [f"{1:032x}"]
    people, photos = dump(store)
    assert f"{1:032x}" not in people
    assert {row[0] for row in photos.values()} == {f"{0:032x}", f"{2:032x}"}
    assert store.check() == []
    assert store.find_person("Person 1") is None
    assert store.find_photos([make_photo(store, 1, 0).digest]) == []


def test_rename_and_merge(make: Make) -> None:
    store = make()
    fill(store)
    with store.write() as changes:
        changes.put_people = [replace(make_person(0), name="Somebody else")]
    assert store.find_person("Person 0") is None
    assert len(store.read_photos([f"{0:032x}"])) == 2, "photos stay when the name changes"
    with store.write() as changes:
        moved = store.read_photos([f"{1:032x}"])
        changes.put_photos = [replace(photo, person=f"{0:032x}") for photo in moved]
        changes.remove_people = [f"{1:032x}"]
    people, photos = dump(store)
    assert set(people) == {f"{0:032x}", f"{2:032x}"}
    assert len(store.read_photos([f"{0:032x}"])) == 4
    assert store.read_photos([f"{1:032x}"]) == []
    assert len(photos) == 6
    assert store.check() == []
    assert len(store.find_photos([make_photo(store, 1, 0).digest])) == 1


def test_log_has_no_names_and_no_vectors(make: Make) -> None:
    store = make()
    fill(store)
    with store.write() as changes:
        changes.remove_people = [f"{0:032x}"]
        changes.action, changes.subject, changes.detail = "remove", f"{0:032x}", "2 photos"
    entries = store.read_audit()
    assert [(entry.number, entry.action, entry.subject) for entry in entries] == [
        (1, "add", f"{0:032x}"),
        (2, "remove", f"{0:032x}"),
    ]
    assert "Person" not in repr(entries)


def test_another_model_takes_every_photo_or_nothing(make: Make) -> None:
    store, other = make(), make(again=True)
    fill(store)
    before = dump(store)
    header = replace(store.header, model="n" * 32, width=8)
    codec = store.codec.fit(8)
    vectors = np.eye(8, dtype=np.float32)
    photos = [replace(photo, vector=codec.turn(vectors[:1])[0]) for photo in store.read_since(-1).photos]
    people, version = store.read_since(-1).people, store.read_version()
    with pytest.raises(GalleryError, match="1 photos have no vector"):
        store.replace_all(header, [Block(people, photos[1:])], version, "migrate")
    assert dump(store) == before
    assert store.header.width == WIDTH
    with pytest.raises(GalleryError, match="changed during the migration"):
        store.replace_all(header, [Block(people, photos)], version - 1, "migrate")
    store.replace_all(header, [Block(people, photos)], version, "migrate")
    assert store.header == header
    again = make(again=True)
    assert again.header == header
    assert {photo.vector.shape for photo in again.read_since(-1).photos} == {(8,)}
    assert again.check() == []
    with pytest.raises(GalleryError, match="another key or model"):
        other.read_version()


def test_a_vector_of_another_width_is_refused(make: Make) -> None:
    store = make()
    fill(store)
    before = dump(store)
    with pytest.raises(GalleryError, match=f"a vector of {WIDTH} numbers"), store.write() as changes:
        changes.put_photos = [replace(make_photo(store, 0, 9), vector=np.ones(3, np.float32))]
    assert dump(store) == before


def test_rotate_the_key(make: Make) -> None:
    store, other = make(), make(again=True)
    fill(store)
    plain = {photo.id: store.codec.turn_back(photo.vector[None])[0] for photo in store.read_since(-1).photos}
    was = store.codec.key
    names = dump(store)[0]
    store.rekey(Key(b"n" * 32))
    with pytest.raises(GalleryError, match="another key or model"):
        dump(other)
    with pytest.raises(GalleryError, match="not the collection's key|is protected"):
        make(again=True, key=was)
    again = make(again=True, key=Key(b"n" * 32))
    assert again.header.protection["generation"] == (2 if was else 1)
    assert dump(again)[0] == names
    for photo in again.read_since(-1).photos:
        np.testing.assert_allclose(again.codec.turn_back(photo.vector[None])[0], plain[photo.id], atol=1e-6)
        assert np.abs(photo.vector - plain[photo.id]).max() > 1e-3
    assert again.find_person("person 1") is not None
    assert len(again.find_photos([make_photo(store, 1, 0).digest])) == 1
    store.rekey(None)
    bare = make(again=True, key=None)
    assert not bare.codec.is_protected
    assert bare.check() == []


def test_traces_are_found_until_the_person_is_removed(make: Make) -> None:
    store = make()
    fill(store)
    traces = store.read_traces(f"{1:032x}")
    others = store.read_traces(f"{2:032x}")
    assert len(traces) >= 5
    assert store.find_bytes(traces)
    with store.write() as changes:
        changes.remove_people = [f"{1:032x}"]
    store.compact()
    assert store.find_bytes(traces) == []
    assert store.find_bytes(others)
    assert store.check() == []
    assert len(dump(store)[0]) == 2


def test_backup_is_a_gallery_of_that_moment(make: Make, tmp_path: Path) -> None:
    store = make()
    fill(store)
    with store.write() as changes:
        changes.remove_people = [f"{1:032x}"]
    traces = [photo.vector.tobytes()[:32] for photo in [make_photo(store, 1, 0), make_photo(store, 1, 1)]]
    store.backup(tmp_path / "copy")
    fill(store, range(5, 6))
    copy = open_store(str(tmp_path / "copy"), "", store.codec.key)
    assert len(dump(copy)[0]) == 2
    assert copy.header == store.header
    assert copy.check() == []
    assert copy.find_bytes(traces) == [], "what was removed is in no backup made afterwards"
    assert {photo.vector.tobytes() for photo in copy.read_since(-1).photos} <= {
        photo.vector.tobytes() for photo in store.read_since(-1).photos
    }
    copy.close()
    with pytest.raises(GalleryError, match="exists already"):
        store.backup(tmp_path / "copy")


def test_delete_leaves_nothing_and_the_name_is_free_again(make: Make) -> None:
    store = make()
    fill(store)
    store.delete()
    with pytest.raises(GalleryError, match="There is no gallery"):
        make(again=True)
    again = make()
    assert dump(again) == ({}, {})


def test_a_name_that_was_stored_with_its_accent_apart_is_found(make: Make) -> None:
    store = make()
    with store.write() as changes:
        changes.put_people = [replace(make_person(1), name="Jose\u0301")]
    found = store.find_person("Jos\u00e9")
    assert found is not None
    assert found.id == make_person(1).id
