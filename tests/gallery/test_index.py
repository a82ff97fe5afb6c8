"""The index gives what a search by hand gives, whatever was changed in which order."""

import random
from pathlib import Path

import numpy as np
import pytest

from handnet.gallery import index as index_module
from handnet.gallery.index import TemplateIndex, choose_pairing
from handnet.gallery.pairings import Matching
from handnet.gallery.records import HandKind, Person, Photo
from handnet.gallery.stores.sqlite import SqliteStore
from handnet.gallery.stores.store import Store
from handnet.gallery.templates import average_vectors, build_templates
from tests.gallery.simulated import SIDES, VIEWS, WIDTH, draw_vector
from tests.gallery.stores.test_store import make_header, make_person

KINDS = [HandKind(view, side) for view in VIEWS for side in (*SIDES, "")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return SqliteStore.create(tmp_path / "g", make_header())


def take(person: int, number: int, kind: HandKind, quality: float = 1.0) -> Photo:
    vector = draw_vector(person, kind.view, kind.side, number)
    identifier = f"{person:010x}{KINDS.index(kind):02x}{number:020x}"
    return Photo(identifier, f"{person:032x}", f"{number:032x}", kind, quality, "hand", "now", vector)


def search_by_hand(store: Store, matching: Matching, kind: HandKind, probe: np.ndarray) -> dict[str, tuple[float, str]]:
    """Compare with each person alone, without any index."""
    found = {}
    snapshot = store.read_since(-1)
    for person in snapshot.people:
        templates = build_templates(photo for photo in snapshot.photos if photo.person == person.id)
        best = choose_pairing(matching, kind, templates)
        if best is not None:
            template, pairing, fit = best
            found[person.id] = (fit.slope * float(template.vector @ probe) + fit.intercept, str(pairing))
    return found


def check_against_hand(index: TemplateIndex, store: Store, matching: Matching) -> None:
    for kind in KINDS:
        probe = draw_vector(3, kind.view, kind.side, 77)
        expected = search_by_hand(store, matching, kind, probe)
        hits = index.search(kind, probe[None])[0]
        assert hits.num_compared == len(expected) == len(hits.people)
        assert list(hits.log_ratios) == sorted(hits.log_ratios, reverse=True)
        for person, ratio, pairing in zip(hits.people, hits.log_ratios, hits.pairings, strict=True):
            assert ratio == pytest.approx(expected[person.id][0], abs=1e-4)
            assert str(pairing) == expected[person.id][1]
        assert sum(part.num_people for part in index.compare(kind)) == len(expected)


def test_any_history_ends_in_the_same_answers(
    store: Store, matching: Matching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_SMALL_PEOPLE", 4)
    chance = random.Random(0)
    index = TemplateIndex(matching, WIDTH)
    present: set[int] = set()
    for step in range(60):
        person = chance.randrange(15)
        with store.write() as changes:
            if person in present and chance.random() < 0.3:
                changes.remove_people = [f"{person:032x}"]
                present.discard(person)
            else:
                changes.put_people = [make_person(person)]
                changes.put_photos = [take(person, step, chance.choice(KINDS), chance.random())]
                present.add(person)
        if chance.random() < 0.5:
            index.refresh(store)
            assert {row.id for row in index.list_people()} == {f"{n:032x}" for n in present}
            assert index.num_people == len(present)
    index.refresh(store)
    check_against_hand(index, store, matching)
    assert {t.person for t in index.list_templates()} == {f"{n:032x}" for n in present}


def test_limit_keeps_the_nearest(store: Store, matching: Matching) -> None:
    fill_people(store, 40)
    index = TemplateIndex(matching, WIDTH)
    index.refresh(store)
    kind = HandKind("dorsal", "left")
    probes = np.stack([draw_vector(person, "dorsal", "left", 9) for person in range(5)])
    for whole, cut in zip(index.search(kind, probes), index.search(kind, probes, 7), strict=True):
        assert [person.id for person in cut.people] == [person.id for person in whole.people[:7]]
        assert cut.num_compared == 40
        np.testing.assert_array_equal(cut.log_ratios, whole.log_ratios[:7])


def fill_people(store: Store, count: int) -> None:
    with store.write() as changes:
        for person in range(count):
            changes.put_people.append(make_person(person))
            changes.put_photos += [
                take(person, 0, HandKind("palmar", "left")),
                take(person, 1, KINDS[person % len(KINDS)]),
            ]


def test_an_empty_index_finds_nobody(store: Store, matching: Matching) -> None:
    index = TemplateIndex(matching, WIDTH)
    index.refresh(store)
    hits = index.search(KINDS[0], np.zeros((2, WIDTH), np.float32), 5)
    assert [hit.people for hit in hits] == [[], []]
    assert index.compare(KINDS[0]) == []


def test_people_without_comparable_photos_are_not_ranked(store: Store, matching: Matching) -> None:
    fits = {pairing: fit for pairing, fit in matching.fits.items() if pairing.hands == "same"}
    index = TemplateIndex(Matching(fits, {}, ""), WIDTH)
    with store.write() as changes:
        changes.put_people = [make_person(0), make_person(1), Person("f" * 32, "No photo", "now")]
        changes.put_photos = [take(0, 0, HandKind("palmar", "left")), take(1, 0, HandKind("palmar", "right"))]
    index.refresh(store)
    hits = index.search(HandKind("dorsal", "left"), draw_vector(1)[None])[0]
    assert [person.id for person in hits.people] == [f"{0:032x}"], "the right hand is no candidate for a left one"
    assert index.num_people == 3


def test_template_is_the_mean_weighted_by_quality() -> None:
    # By hand: 0.6 · (1, 0) + 0.2 · (0, 1) has the direction (3, 1) / √10.
    vectors = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(average_vectors(vectors, [0.6, 0.2]), np.array([3, 1]) / np.sqrt(10), atol=1e-6)
    np.testing.assert_allclose(average_vectors(vectors), np.array([1, 1]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(average_vectors(vectors, [0.0, 0.0]), np.array([1, 1]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_array_equal(average_vectors(np.array([[1, 0], [-1, 0]], np.float32)), [1, 0])


def test_templates_are_of_one_hand_and_view() -> None:
    photos = [
        take(1, 0, HandKind("palmar", "left")),
        take(1, 1, HandKind("palmar", "right")),
        take(2, 2, HandKind("palmar", "left")),
    ]
    assert [(t.person[-1], t.kind.side, t.num_photos) for t in build_templates(photos)] == [
        ("1", "left", 1),
        ("1", "right", 1),
        ("2", "left", 1),
    ]
