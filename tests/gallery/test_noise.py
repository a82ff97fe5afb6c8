"""Label noise that was put into a gallery is found, and nothing else."""

from handnet.gallery import Gallery
from tests.gallery.simulated import take_photo


def enrol(gallery: Gallery, people: range, shots: int = 3) -> None:
    for person in people:
        gallery.add(
            f"Person {person}", [take_photo(person, "palmar", shot=shot) for shot in range(shots)], review="off"
        )


def test_a_clean_gallery_has_no_noise(gallery: Gallery) -> None:
    enrol(gallery, range(20))
    assert gallery.check() == ((), (), (), ())


def test_one_person_by_two_names(gallery: Gallery) -> None:
    enrol(gallery, range(20))
    gallery.add("Double", [take_photo(7, "palmar", shot=shot) for shot in (8, 9)], review="off")
    report = gallery.check()
    assert [(row.first, row.second) for row in report.same_people] == [("Double", "Person 7")]
    assert report.same_people[0].probability > 0.6
    assert "palmar-palmar, the same hand" in report.same_people[0].pairing


def test_a_photo_in_the_wrong_place(gallery: Gallery) -> None:
    enrol(gallery, range(20))
    done = gallery.add("Person 3", take_photo(12, "palmar", shot=9), review="off")
    report = gallery.check()
    assert [(row.photo, row.person, row.looks_like) for row in report.misplaced] == [
        (done.accepted[0].id, "Person 3", "Person 12")
    ]
    assert report.misplaced[0].probability > 0.9


def test_pictures_that_are_there_twice(gallery: Gallery) -> None:
    enrol(gallery, range(5))
    own = gallery.add("Person 1", take_photo(1, "palmar", shot=0, quality=0.9), review="off").accepted[0].id
    gallery.add("Person 2", take_photo(4, "palmar", shot=0, quality=0.9), review="off")
    found = gallery.check().duplicates
    assert [{row.first_person, row.second_person} for row in found] == [{"Person 2", "Person 4"}, {"Person 1"}]
    assert own in (found[1].first, found[1].second)
    assert all(row.similarity > 0.999 for row in found)
