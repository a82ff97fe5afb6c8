"""Label noise: people who may be one, photos that may belong to somebody else, and pictures that are there twice."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from handnet.gallery.index import Hits, TemplateIndex
from handnet.gallery.pairings import Matching
from handnet.gallery.records import HandKind, Person, Photo
from handnet.gallery.review import NEAR_DUPLICATE, score_own
from handnet.metrics.logistic import expit

_BLOCK_ROWS = 1024
_NEAREST = 5


class SamePerson(NamedTuple):
    """Two enrolled people who may be one.

    Attributes:
        first: name.
        second: name.
        probability: 0..1, where one of all enrolled people resembles by chance.
        pairing: how they were compared, in words.
    """

    first: str
    second: str
    probability: float
    pairing: str


class Misplaced(NamedTuple):
    """A photo that looks more like another person's than like the person's other photos.

    Attributes:
        photo: id.
        person: name of its person.
        looks_like: name of the other.
        probability: that it is the other's and not its person's, 0..1.
    """

    photo: str
    person: str
    looks_like: str
    probability: float


class Duplicate(NamedTuple):
    """Two enrolled photos of nearly the same picture.

    Attributes:
        first: id of a photo.
        first_person: name.
        second: id of a photo.
        second_person: name.
        similarity: cosine.
    """

    first: str
    first_person: str
    second: str
    second_person: str
    similarity: float


def find_same_people(index: TemplateIndex) -> list[SamePerson]:
    """Return the pairs of people whose templates look like one person's, the likeliest first.

    Args:
        index: of everybody.
    """
    names = {person.id: person.name for person in index.list_people()}
    chance = np.log(max(len(names), 1))
    found: dict[tuple[str, str], SamePerson] = {}
    by_kind: dict[HandKind, list[tuple[str, np.ndarray]]] = {}
    for template in index.list_templates():
        by_kind.setdefault(template.kind, []).append((template.person, template.vector))
    for kind, rows in by_kind.items():
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = rows[start : start + _BLOCK_ROWS]
            for (person, _), hits in zip(
                block, index.search(kind, np.stack([vector for _, vector in block]), _NEAREST), strict=True
            ):
                for other, ratio, pairing in zip(hits.people, hits.log_ratios, hits.pairings, strict=True):
                    probability = float(expit(ratio - chance))
                    if other.id == person or probability <= 0.5:
                        continue
                    couple = (min(person, other.id), max(person, other.id))
                    first, second = sorted((names[person], other.name))
                    if couple not in found or found[couple].probability < probability:
                        found[couple] = SamePerson(first, second, probability, str(pairing))
    return sorted(found.values(), key=lambda row: (-row.probability, row.first, row.second))


def find_misplaced(
    people: Sequence[Person], photos: Sequence[Photo], index: TemplateIndex, matching: Matching
) -> list[Misplaced]:
    """Return the photos that look more like another person, the surest first; it takes two photos of their own person.

    Args:
        people: everybody.
        photos: all photos.
        index: of everybody.
        matching: the calibrations.
    """
    names = {person.id: person.name for person in people}
    chance = np.log(max(len(names), 1))
    of_person: dict[str, list[Photo]] = {}
    for photo in photos:
        of_person.setdefault(photo.person, []).append(photo)
    found = []
    for photo, hits in zip(photos, _search_all(photos, index), strict=True):
        place = next((place for place, person in enumerate(hits.people) if person.id != photo.person), None)
        if place is None or len(of_person[photo.person]) < 2:
            continue
        ratio = float(hits.log_ratios[place])
        rest = [other for other in of_person[photo.person] if other is not photo]
        own = score_own(photo.kind, photo.vector, rest, matching)
        if own is not None and ratio > own and ratio > chance:
            probability = float(expit(ratio - own))
            found.append(Misplaced(photo.id, names[photo.person], hits.people[place].name, probability))
    return sorted(found, key=lambda row: -row.probability)


def find_duplicates(people: Sequence[Person], photos: Sequence[Photo]) -> list[Duplicate]:
    """Return the pairs of photos that are nearly the same picture, those of different people first.

    Args:
        people: everybody.
        photos: all photos.
    """
    if not photos:
        return []
    names = {person.id: person.name for person in people}
    vectors = np.stack([photo.vector for photo in photos])
    found = []
    for start in range(0, len(photos), _BLOCK_ROWS):
        cosines = vectors[start : start + _BLOCK_ROWS] @ vectors[start:].T
        for row, column in np.argwhere(np.triu(cosines, 1) >= NEAR_DUPLICATE):
            first, second = photos[start + int(row)], photos[start + int(column)]
            similarity = float(cosines[row, column])
            found.append(Duplicate(first.id, names[first.person], second.id, names[second.person], similarity))
    return sorted(found, key=lambda row: (row.first_person == row.second_person, -row.similarity))


def _search_all(photos: Sequence[Photo], index: TemplateIndex) -> list[Hits]:
    by_kind: dict[HandKind, list[int]] = {}
    for number, photo in enumerate(photos):
        by_kind.setdefault(photo.kind, []).append(number)
    hits: dict[int, Hits] = {}
    for kind, numbers in by_kind.items():
        for start in range(0, len(numbers), _BLOCK_ROWS):
            block = numbers[start : start + _BLOCK_ROWS]
            found = index.search(kind, np.stack([photos[number].vector for number in block]), 2)
            hits.update(zip(block, found, strict=True))
    return [hits[number] for number in range(len(photos))]
