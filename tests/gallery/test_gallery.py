"""The gallery's verbs as a program uses them."""

import importlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import ConfigError, DataError, EvaluationError, GalleryError
from handnet.gallery import Gallery
from handnet.gallery.enrolment import Entry
from handnet.gallery.pairings import Matching
from handnet.gallery.protection import Key
from handnet.gallery.records import HandKind
from handnet.metrics.embedded import load_part
from tests.gallery.simulated import WIDTH, SimulatedEncoder, draw_vector, fit_simulated, take_photo, write_photo

KEY = Key(bytes(range(32)))


@pytest.fixture(params=["folder", pytest.param("milvus", marks=pytest.mark.slow)])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, matching: Matching) -> Iterator[Gallery]:
    """Twenty people in a protected gallery, in a folder and on a server."""
    address = request.getfixturevalue("milvus")[0] if request.param == "milvus" else ""
    place = "anywhere" if address else str(tmp_path / "g")
    # Below the fixture's scope a server keeps the gallery of the test before.
    place += f"_{abs(hash(request.node.name))}" if address else ""
    with Gallery.create(place, SimulatedEncoder(), matching, store=address, key=KEY, review="off") as made:
        people = {
            f"Person {n}": [Entry(take_photo(n, "palmar", "left", shot)) for shot in range(1 + n % 2)]
            for n in range(20)
        }
        made.import_(people)
        yield made


def test_person_is_found_from_either_side(anywhere: Gallery) -> None:
    for view in ("dorsal", "palmar"):
        answer = anywhere.identify(take_photo(7, view, "left", 5), top=3)[0]
        assert answer.name == "Person 7"
        assert answer.matches[0].name == "Person 7"
        assert len(answer.matches) == 3
        assert answer.matches[0].probability > 0.5
        assert answer.matches[0].pairing.startswith("dorsal-palmar" if view == "dorsal" else "palmar-palmar")
        assert sum(match.probability for match in answer.matches) + answer.nobody <= 1 + 1e-9
        assert answer.threshold is not None
        assert answer.threshold.num_people == 20
        assert answer.num_people == answer.num_compared == 20
        assert (answer.view, answer.side) == (view, "left")


def test_stranger_is_nobody(anywhere: Gallery) -> None:
    answers = anywhere.identify([take_photo(n, "dorsal", "left") for n in range(500, 520)], fpir=0.05)
    assert sum(bool(answer.name) for answer in answers) <= 3
    assert np.mean([answer.nobody for answer in answers]) > 0.8


def test_unknown_side_is_compared_as_such(anywhere: Gallery) -> None:
    answer = anywhere.identify(take_photo(7, "palmar", "", 0))[0]
    assert answer.side == ""
    assert {match.pairing.split(", ")[1] for match in answer.matches} == {"hand not known"}


def test_both_stores_answer_alike(tmp_path: Path, matching: Matching, milvus: tuple[str, Path]) -> None:
    people = {
        f"Person {n}": [
            Entry(take_photo(n, view, side, shot))
            for view, side, shot in [("palmar", "left", 0), ("dorsal", "right", n % 3)][: 1 + n % 2]
        ]
        for n in range(15)
    }
    answers = []
    for place, address in ((str(tmp_path / "g"), ""), ("alike", milvus[0])):
        with Gallery.create(place, SimulatedEncoder(), matching, store=address) as gallery:
            gallery.import_(people)
            gallery.remove("Person 9")
            probes = [take_photo(n, "dorsal", "left", 4) for n in (0, 9, 13, 700)]
            answers.append(gallery.identify(probes, top=15))
    for one, two in zip(*answers, strict=True):
        assert one.name == two.name
        assert one.num_compared == two.num_compared == 14
        assert one.nobody == pytest.approx(two.nobody, abs=1e-4)
        assert one.threshold == two.threshold
        ranks = [{match.name: match for match in answer.matches} for answer in (one, two)]
        assert ranks[0].keys() == ranks[1].keys()
        for name, match in ranks[0].items():
            assert match.log_ratio == pytest.approx(ranks[1][name].log_ratio, abs=1e-3)
            assert match.pairing == ranks[1][name].pairing


def test_verify_against_a_person(people: Gallery) -> None:
    answers = people.verify("person 3", [take_photo(3, "dorsal", "left", 4), take_photo(4, "dorsal"), b"?"])
    assert [answer.name for answer in answers] == ["Person 3"] * 3
    right, wrong, unreadable = (answer.verdict for answer in answers)
    assert right.same
    assert right.probability > 0.9
    assert right.pairing == "dorsal-palmar, the same hand, template of one"
    assert right.origin == "60 simulated people"
    assert not wrong.same
    assert wrong.probability < 0.1
    assert wrong.similarity < wrong.threshold
    assert unreadable.problem == "not a photo"
    told = (unreadable.same, unreadable.probability, unreadable.log_ratio, unreadable.similarity, unreadable.threshold)
    assert told == (None,) * 5, "no number that could be taken for an answer"
    with pytest.raises(GalleryError, match="Nobody is enrolled as 'Person 99'"):
        people.verify("Person 99", take_photo(1))


def test_a_left_hand_is_not_compared_with_a_right_one_without_its_calibration(
    tmp_path: Path, matching: Matching
) -> None:
    same_only = Matching({p: f for p, f in matching.fits.items() if p.hands == "same"}, {}, "")
    with Gallery.create(tmp_path / "g", SimulatedEncoder(), same_only) as gallery:
        gallery.add("Ada", take_photo(1, "palmar", "right"))
        answer = gallery.identify(take_photo(1, "dorsal", "left"))[0]
        assert (answer.name, answer.matches, answer.num_compared) == ("", (), 0)
        assert "another hand" in answer.remarks[0]
        assert gallery.verify("Ada", take_photo(1, "dorsal", "left"))[0].verdict.problem


def test_photos_together_are_one_answer(people: Gallery) -> None:
    shots = [take_photo(2, "dorsal", "left", shot) for shot in range(3)]
    single = people.identify(shots)
    together = people.identify([*shots, b"?"], together=True)
    assert len(single) == 3
    assert len(together) == 2
    assert together[0].name == "Person 2"
    mean = np.mean([answer.matches[0].log_ratio for answer in single])
    assert together[0].matches[0].log_ratio == pytest.approx(mean)
    assert (together[1].problem, together[1].nobody) == ("not a photo", None)


def test_photos_together_keep_what_was_seen_in_each(people: Gallery) -> None:
    shots = [take_photo(2, "dorsal", "left"), take_photo(2, "palmar", "left", quality=0.1)]
    seen = [answer.remarks for answer in people.identify(shots, view="dorsal")]
    assert seen[0] == ()
    assert "blurred" in seen[1]
    assert any("palmar" in remark for remark in seen[1])
    together = people.identify(shots, view="dorsal", together=True)[0]
    assert together.remarks == tuple(f"photo 2: {remark}" for remark in seen[1])


def test_inputs_may_be_paths_bytes_and_arrays(people: Gallery, tmp_path: Path) -> None:
    path = write_photo(tmp_path / "photo.jpg", 2, "dorsal", "left", 4)
    answers = people.identify([path, str(path), path.read_bytes()])
    assert [answer.photo for answer in answers] == [str(path), str(path), "photo 3"]
    assert len({answer.matches[0].log_ratio for answer in answers}) == 1
    assert people.identify(path)[0].name == "Person 2"
    array = people.identify(np.zeros((4, 4, 3), np.uint8))[0]
    assert array.problem == "not a photo"


def test_partial_success_names_each_reason(gallery: Gallery, tmp_path: Path) -> None:
    good, again = take_photo(1), take_photo(2)
    done = gallery.add("Ada", [good, b"broken", tmp_path / "missing.jpg", good])
    assert [row.photo for row in done.accepted] == ["photo 1"]
    reasons = {row.photo: row.reason for row in done.refused}
    assert reasons["photo 2"] == "not a photo"
    assert "No such file" in reasons[str(tmp_path / "missing.jpg")]
    assert reasons["photo 4"] == "this very photo is enrolled already"
    other = gallery.add("Bob", [good, again])
    assert [row.photo for row in other.accepted] == ["photo 2"]
    assert "for another person" in other.refused[0].reason


def test_nobody_is_made_of_refused_photos_alone(gallery: Gallery) -> None:
    done = gallery.add("Ada", b"broken")
    assert not done.is_new
    assert gallery.list() == []
    assert gallery.read_audit() == []
    with pytest.raises(DataError, match="No photos"):
        gallery.add("Ada", [])


@pytest.mark.parametrize("name", ["", "   ", "a\nb\x07", "x" * 201, "\u202e"])
def test_unusable_names_are_refused(gallery: Gallery, name: str) -> None:
    with pytest.raises(ConfigError, match="printable characters"):
        gallery.add(name, take_photo(1))


@pytest.mark.parametrize("name", ["O'Brien; DROP TABLE people", "李雷", "Zoë  van\tder Berg", "../../etc/passwd", "💅"])
def test_any_other_name_is_kept(gallery: Gallery, name: str) -> None:
    gallery.add(name, take_photo(1))
    kept = " ".join(name.split())
    assert [row.name for row in gallery.list()] == [kept]
    assert gallery.show(name.upper())[0].name == kept
    assert gallery.identify(take_photo(1, shot=3))[0].matches[0].name == kept


def test_list_show_rename_remove_merge(people: Gallery) -> None:
    people.add("Person 0", take_photo(0, "dorsal", "right"))
    rows = {row.name: row for row in people.list()}
    assert list(rows) == [f"Person {n}" for n in range(6)]
    assert rows["Person 0"].kinds == {HandKind("palmar", "left"): 1, HandKind("dorsal", "right"): 1}
    people.rename("person 1", "Ada")
    with pytest.raises(GalleryError, match="already. Use merge"):
        people.rename("Ada", "PERSON 2")
    people.rename("ada", "ADA")
    assert people.merge("ADA", "Person 2") == 1
    with pytest.raises(GalleryError, match="the same person already"):
        people.merge("ADA", "ada")
    person, photos = people.show("ada")
    assert person.name == "ADA"
    assert len(photos) == 2
    assert people.remove("ADA", photos[0].id[:10]) == 1
    with pytest.raises(GalleryError, match="0 photos of 'ADA'"):
        people.remove("ADA", "zz")
    assert people.remove("ADA") == 1
    assert [row.name for row in people.list()] == ["Person 0", "Person 3", "Person 4", "Person 5"]
    assert people.num_people == 4
    for verb in (
        lambda: people.show("ADA"),
        lambda: people.remove("ADA"),
        lambda: people.rename("ADA", "B"),
        lambda: people.forget("ADA"),
    ):
        with pytest.raises(GalleryError, match="Nobody is enrolled"):
            verb()
    actions = [entry.action for entry in people.read_audit()]
    assert actions == ["add"] * 7 + ["rename", "rename", "merge", "remove", "remove"]
    assert people.identify(take_photo(1, "dorsal", "left"))[0].name == ""


def test_forget_proves_it(people: Gallery, tmp_path: Path) -> None:
    done = people.forget("Person 2")
    assert done.name == "Person 2"
    assert done.num_traces >= 4
    assert done.found_before
    vector = draw_vector(2, "palmar").astype("<f4").tobytes()
    for file in (tmp_path / "gallery").iterdir():
        contents = file.read_bytes()
        assert vector[:16] not in contents
        assert b"Person 2" not in contents
    assert people.num_people == 5


def test_forget_fails_loudly_where_something_is_left(people: Gallery, tmp_path: Path) -> None:
    vector = draw_vector(2, "palmar").astype("<f4").tobytes()
    (tmp_path / "gallery" / "copy").write_bytes(b"..." + vector)
    with pytest.raises(GalleryError, match="was removed, but bytes of theirs are still in .*copy"):
        people.forget("Person 2")


def test_another_program_s_changes_are_seen(people: Gallery, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "gallery", SimulatedEncoder()) as other:
        assert other.identify(take_photo(9, "dorsal"))[0].name == ""
        people.add("Person 9", take_photo(9, "palmar"))
        assert other.identify(take_photo(9, "dorsal"))[0].name == "Person 9"
        other.remove("Person 9")
    assert people.identify(take_photo(9, "dorsal"))[0].name == ""


def test_vectors_of_another_model_are_refused(people: Gallery, tmp_path: Path) -> None:
    for other in (SimulatedEncoder(name="another"), SimulatedEncoder(width=16)):
        with pytest.raises(GalleryError, match="Give its own model, or use migrate"):
            Gallery.open(tmp_path / "gallery", other)
    with Gallery.open(tmp_path / "gallery") as blind:
        assert blind.num_people == 6
        with pytest.raises(GalleryError, match="needs the gallery's model"):
            blind.identify(take_photo(1))


def test_rate_that_the_calibration_cannot_carry(people: Gallery) -> None:
    with pytest.raises(EvaluationError, match="60 calibration people who are not enrolled cannot carry a rate of 1 %"):
        people.identify(take_photo(1), fpir=0.01)
    answer = people.identify(take_photo(1))[0]
    assert answer.threshold is not None
    assert answer.threshold.fpir == 0.05


def test_calibration_that_carries_no_rate_names_nobody(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "g", SimulatedEncoder(), fit_simulated(8)) as gallery:
        gallery.add("Ada", take_photo(1))
        answer = gallery.identify(take_photo(1, shot=2))[0]
        assert answer.name == ""
        assert answer.threshold is None
        assert "nobody is named: No threshold" in answer.remarks[0]
        assert answer.matches[0].name == "Ada"


def test_empty_gallery_answers(gallery: Gallery) -> None:
    answer = gallery.identify(take_photo(1))[0]
    assert (answer.name, answer.nobody, answer.num_people) == ("", 1.0, 0)
    assert answer.remarks == ("nobody is enrolled",)
    assert gallery.identify([]) == []


def test_rotated_key_opens_and_the_old_one_does_not(tmp_path: Path, matching: Matching) -> None:
    with Gallery.create(tmp_path / "g", SimulatedEncoder(), matching, key=KEY, keep_photos=True) as gallery:
        gallery.add("Ada", take_photo(1))
        before = gallery.identify(take_photo(1, shot=2))[0]
        with pytest.raises(ConfigError, match="nothing would be revoked"):
            gallery.rotate_key(KEY)
        gallery.rotate_key(Key(b"n" * 32))
        after = gallery.identify(take_photo(1, shot=2))[0]
        assert after.matches[0].log_ratio == pytest.approx(before.matches[0].log_ratio, abs=1e-4)
        assert gallery.read_picture(gallery.show("Ada")[1][0].id) == take_photo(1)
        assert gallery.add("Bob", take_photo(1)).refused, "contents are recognised under the new key"
    with pytest.raises(GalleryError, match="not the collection's key"):
        Gallery.open(tmp_path / "g", SimulatedEncoder(), key=KEY)
    with pytest.raises(GalleryError, match="is protected"):
        Gallery.open(tmp_path / "g", SimulatedEncoder())


def test_exported_contents_are_in_the_model_s_space(tmp_path: Path, matching: Matching) -> None:
    with Gallery.create(tmp_path / "g", SimulatedEncoder(), matching, key=KEY) as gallery:
        gallery.add("Ada", take_photo(1))
        assert gallery.export(tmp_path / "vectors.npz") == 1
        assert stat.S_IMODE((tmp_path / "vectors.npz").stat().st_mode) == 0o600
    part = load_part(tmp_path / "vectors.npz")
    assert part.identities.tolist() == ["Ada"]
    assert (part.views[0], part.sides[0]) == ("dorsal", "left")
    np.testing.assert_allclose(part.embeddings[0], draw_vector(1), atol=1e-6)


def test_one_import_loads_no_tensorflow() -> None:
    import subprocess
    import sys

    heavy = {"tensorflow", "keras", "pymilvus"}
    code = f"import sys; from handnet.gallery import Gallery; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    assert importlib.import_module("handnet.gallery").__all__ == ["Gallery"]


class TestMigration:
    """From one model to another."""

    @pytest.fixture
    def new(self) -> tuple[SimulatedEncoder, Matching]:
        return SimulatedEncoder(width=16, name="new"), fit_simulated(40, width=16)

    @pytest.mark.parametrize("key", [None, KEY], ids=["bare", "protected"])
    def test_kept_photos_are_embedded_again(
        self, tmp_path: Path, matching: Matching, new: tuple[SimulatedEncoder, Matching], key: Key | None
    ) -> None:
        with Gallery.create(tmp_path / "g", SimulatedEncoder(), matching, key=key, keep_photos=True) as gallery:
            for person in range(5):
                gallery.add(f"Person {person}", take_photo(person, "palmar"))
            plan = gallery.migrate(*new, dry_run=True)
            assert (plan.num_people, plan.num_photos, plan.stuck, plan.done) == (5, 5, (), False)
            assert gallery.header.width == WIDTH
            assert gallery.migrate(*new).done
            answer = gallery.identify(take_photo(3, "dorsal", "left", 4))[0]
            assert answer.matches[0].name == "Person 3"
        with Gallery.open(tmp_path / "g", new[0], key=key) as again:
            assert again.header.width == 16
            assert again.check().damage == ()
            assert again.export(tmp_path / "vectors.npz") == 5
        part = load_part(tmp_path / "vectors.npz")
        row = part.identities.tolist().index("Person 2")
        np.testing.assert_allclose(part.embeddings[row], draw_vector(2, "palmar", width=16), atol=1e-6)

    def test_who_cannot_be_migrated_is_said_and_nothing_is_changed(
        self, people: Gallery, new: tuple[SimulatedEncoder, Matching]
    ) -> None:
        plan = people.migrate(*new, dry_run=True)
        assert [row.name for row in plan.stuck] == [f"Person {n}" for n in range(6)]
        assert plan.stuck[0].reason == "the photo was not kept"
        with pytest.raises(GalleryError, match="6 of 6 people cannot be migrated .* nothing was changed"):
            people.migrate(*new)
        assert people.identify(take_photo(3, "dorsal"))[0].name == "Person 3"

    def test_photos_may_come_from_a_folder(
        self, people: Gallery, new: tuple[SimulatedEncoder, Matching], tmp_path: Path
    ) -> None:
        for person in range(5):
            write_photo(tmp_path / "photos" / "deep" / f"{person}.jpg", person, "palmar")
        plan = people.migrate(*new, dry_run=True, photos=tmp_path / "photos")
        assert [(row.name, row.num_photos) for row in plan.stuck] == [("Person 5", 1)]
        people.remove("Person 5")
        assert people.migrate(*new, photos=tmp_path / "photos").done
        assert people.identify(take_photo(3, "dorsal"))[0].matches[0].name == "Person 3"

    def test_photo_that_the_new_model_refuses(
        self, tmp_path: Path, matching: Matching, new: tuple[SimulatedEncoder, Matching]
    ) -> None:
        class Picky(SimulatedEncoder):
            def _embed(self, contents: bytes) -> object:  # type: ignore[override]
                return super()._embed(contents if b'"person": 1' not in contents else b"?")

        with Gallery.create(tmp_path / "g", SimulatedEncoder(), matching, keep_photos=True) as gallery:
            gallery.add("Ada", take_photo(1))
            gallery.add("Bob", take_photo(2))
            with pytest.raises(GalleryError, match="1 of 2 people cannot be migrated .*'Ada': not a photo"):
                gallery.migrate(Picky(width=16, name="picky"), new[1])
            assert gallery.header.width == WIDTH

    def test_a_change_meanwhile_stops_it(
        self, tmp_path: Path, matching: Matching, new: tuple[SimulatedEncoder, Matching]
    ) -> None:
        with Gallery.create(tmp_path / "g", SimulatedEncoder(), matching, keep_photos=True) as gallery:
            gallery.add("Ada", take_photo(1))
            other = Gallery.open(tmp_path / "g", SimulatedEncoder())
            with other, pytest.raises(GalleryError, match="changed during the migration"):
                gallery.migrate(*new, progress=lambda *_: other.add("Bob", take_photo(2)) and None)
            assert gallery.header.width == WIDTH
            assert gallery.num_people == 2


def test_forget_is_not_misled_by_what_others_have_too(tmp_path: Path, matching: Matching) -> None:
    """Kept JPEGs begin with the same bytes, and one name may be the beginning of another."""
    shared = "x" * 400
    with Gallery.create(tmp_path / "kept", SimulatedEncoder(), matching, keep_photos=True) as kept:
        for name, person in (("Person 1", 1), ("Person 12", 12)):
            kept.add(name, take_photo(person, "palmar", comment=shared))
        done = kept.forget("Person 1")
        assert done.found_before
        assert done.num_traces >= 4
        assert [row.name for row in kept.list()] == ["Person 12"]


def test_a_device_is_no_photo(gallery: Gallery) -> None:
    """Some devices have no end: reading them would fill the memory."""
    done = gallery.add("Ada", Path(os.devnull))
    assert "not a regular file" in done.refused[0].reason


def test_photos_for_a_migration_are_measured_before_they_are_read(
    people: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photo(tmp_path / "photos/0.jpg", 0, "palmar")
    new = SimulatedEncoder(name="new"), fit_simulated(20)
    assert people.migrate(*new, dry_run=True, photos=tmp_path / "photos").num_photos == 1
    monkeypatch.setattr("handnet.data.checks.MAX_FILE_BYTES", 5)
    assert people.migrate(*new, dry_run=True, photos=tmp_path / "photos").num_photos == 0


def test_an_unusable_name_does_not_end_an_import(gallery: Gallery) -> None:
    entries = {name: [Entry(take_photo(number, "palmar"))] for number, name in enumerate(["Ada", "x" * 201, "Bob"])}
    done = gallery.import_(entries)
    assert [len(row.accepted) for row in done] == [1, 0, 1]
    assert "1 to 200 printable characters" in done[1].refused[0].reason
    assert [row.name for row in gallery.list()] == ["Ada", "Bob"]
