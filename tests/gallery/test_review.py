"""The review of photos at enrolment, at each level."""

from pathlib import Path

import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.gallery import Gallery
from handnet.gallery.enrolment import Entry
from handnet.gallery.index import Hits
from handnet.gallery.pairings import Matching
from handnet.gallery.photo_encoder import Embedded
from handnet.gallery.records import HandKind, Person
from handnet.gallery.review import LEVELS, Candidate, review_photo
from tests.gallery.simulated import SimulatedEncoder, take_photo

# What is given besides the photos of person 1 that are enrolled: what it is, the photo, and what is said of it.
CASES = {
    "good": (take_photo(1, "palmar", shot=5), ""),
    "blurred": (take_photo(1, "palmar", shot=5, quality=0.2), "poor quality"),
    "hopeless": (take_photo(1, "palmar", shot=5, quality=0.05), "poor quality"),
    "near-duplicate": (take_photo(1, "palmar", shot=0, quality=0.9), "nearly the same picture"),
    "of another person": (take_photo(2, "palmar", shot=5), "looks like 'Person 2'"),
    "of a stranger": (take_photo(400, "palmar", shot=5), "does not look like the person's other photos"),
}
REFUSED = {
    "off": set(),
    "standard": {"hopeless"},
    "strict": {"blurred", "hopeless", "near-duplicate", "of another person", "of a stranger"},
}


@pytest.fixture
def enrolled(gallery: Gallery) -> Gallery:
    for person in range(4):
        gallery.add(f"Person {person}", [take_photo(person, "palmar", shot=shot) for shot in range(3)])
    return gallery


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", CASES)
def test_each_level(enrolled: Gallery, case: str, level: str) -> None:
    photo, words = CASES[case]
    done = enrolled.add("Person 1", photo, review=level)
    if case in REFUSED[level]:
        assert not done.accepted
        assert words in done.refused[0].reason
    else:
        assert not done.refused
        said = "; ".join(done.accepted[0].remarks)
        assert (words in said) if level != "off" else (said == "")
    assert enrolled.show("Person 1")[1][-1].quality == (
        pytest.approx(done.accepted[0].quality) if done.accepted else pytest.approx(1.0)
    )


def test_first_photo_of_a_new_person_that_looks_like_somebody(enrolled: Gallery) -> None:
    photo = take_photo(3, "palmar", shot=8)
    refused = enrolled.add("Someone new", photo, review="strict")
    assert "looks like 'Person 3'" in refused.refused[0].reason
    assert not refused.is_new
    assert "Someone new" not in {row.name for row in enrolled.list()}
    assert enrolled.add("Someone new", photo).is_new


def test_photos_of_one_call_are_reviewed_against_each_other(gallery: Gallery) -> None:
    first, same = take_photo(1, "palmar"), take_photo(1, "palmar", quality=0.8)
    done = gallery.add("Person 1", [first, same], review="strict")
    assert len(done.accepted) == 1
    assert "nearly the same picture" in done.refused[0].reason


def test_hand_that_contradicts_what_was_said(gallery: Gallery) -> None:
    done = gallery.add("Person 1", Entry(take_photo(1, "palmar", "left"), side="right"))
    assert done.accepted[0].kind == ("palmar", "right"), "the user has the last word"
    assert "shows a left hand, and right was given" in done.accepted[0].remarks[0]


def test_unknown_hand_is_said(tmp_path: Path, matching: Matching) -> None:
    with Gallery.create(tmp_path / "g", SimulatedEncoder(sees=False), matching) as blind:
        done = blind.add("Person 1", take_photo(1))
        assert "not known which hand" in done.accepted[0].remarks[0]
        assert blind.add("Person 2", take_photo(2), view="dorsal", side="left").accepted[0].remarks == ()


def test_unknown_level_names_the_valid_ones(gallery: Gallery) -> None:
    with pytest.raises(ConfigError, match="off, standard, strict"):
        gallery.add("Person 1", take_photo(1), review="severe")


@pytest.mark.parametrize("cosine", [-3.0, 3.0])
@pytest.mark.parametrize(("num_strange", "is_refused"), [(2, False), (3, True)])
def test_a_photo_unlike_anything_the_calibration_has_seen_is_refused(
    matching: Matching, cosine: float, num_strange: int, is_refused: bool
) -> None:
    pairing, fit = next(iter(matching.fits.items()))
    people = [Person(str(number), f"Person {number}", "") for number in range(4)]
    cosines = np.array([cosine] * num_strange + [float(fit.genuine.mean())] * (4 - num_strange))
    others = Hits(people, np.full(4, -20.0), cosines, [pairing] * 4, 4)
    kind = HandKind("dorsal", "left")
    candidate = Candidate(Embedded(np.eye(1, 8, dtype=np.float32)[0], kind), kind, np.eye(1, 8, dtype=np.float32)[0])
    found = review_photo(candidate, (), others, matching, 4, "standard")
    assert [(finding.kind, finding.refuses) for finding in found] == ([("strange", True)] if is_refused else [])
    assert all("Is it left, dorsal?" in finding.message for finding in found)
