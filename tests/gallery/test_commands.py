"""The commands `gallery`, `identify` and `verify`, on a run of a tiny network."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from handnet.cli.main import cli
from handnet.errors import HandnetError
from tests.gallery.world import World

pytestmark = pytest.mark.usefixtures("without_graphs")


def call(*arguments: object) -> str:
    """Run a command and return what it printed."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def fail(*arguments: object) -> str:
    """Run a command that fails and return the one line of its error."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code != 0, result.output
    return str(result.exception) if isinstance(result.exception, HandnetError) else result.output


def copy_photos(world: World, target: Path) -> None:
    """Copy the photos of four test people: their palms into a folder for each person and hand, and their backs apart."""
    for row, path in enumerate(world.part.paths):
        name, view, side = (str(column[row]) for column in (world.part.identities, world.part.views, world.part.sides))
        if int(name) < 18:
            folder = f"enrol/Person {name}/{view} {side}" if view == "palmar" else f"ask/{name}"
            (target / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / folder)


@pytest.fixture(autouse=True)
def _slow_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freeze no encoder after each answer; that: tests/gallery/test_quick_models.py."""
    monkeypatch.setenv("HANDNET_QUICK", "0")


@pytest.fixture
def folders(world: World, tmp_path: Path) -> Path:
    copy_photos(world, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def made(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of these four people, made once."""
    folder = tmp_path_factory.mktemp("made")
    copy_photos(world, folder)
    call("gallery", "create", folder / "g", "--run", world.run, "--review", "off")
    call("gallery", "import", folder / "g", folder / "enrol")
    return folder / "g"


@pytest.fixture
def gallery(made: Path, folders: Path) -> Path:
    """A copy of it, to be changed."""
    shutil.copytree(made, folders / "g")
    return folders / "g"


def test_from_nothing_to_an_answer_in_three_commands(world: World, folders: Path) -> None:
    made = call("gallery", "create", folders / "g", "--run", world.run, "--review", "off")
    assert "not protected" in made
    assert "the validation people of the run run" in made
    imported = call("gallery", "import", folders / "g", folders / "enrol")
    assert "enrolled 12 photos of 4 people; 0 refused" in imported
    assert "left, palmar" in imported
    photo = sorted((folders / "ask" / "0000017").iterdir())[0]
    said = call("identify", folders / "g", photo, "--view", "dorsal")
    for part in (str(photo), "nobody enrolled", "threshold", "95 % interval", "12 calibration people", "dorsal-palmar"):
        assert part in said
    assert said.count("Person 00000") >= 4


@pytest.mark.slow
def test_answers_as_json_and_as_a_table(world: World, gallery: Path, folders: Path) -> None:
    photos = sorted((folders / "ask" / "0000017").iterdir())
    (folders / "broken.jpg").write_bytes(b"?")
    command = ["identify", gallery, *photos, folders / "broken.jpg", "--view", "dorsal", "--top", 3]
    answers = json.loads(call(*command, "--json"))
    assert len(answers) == 4
    assert [match["rank"] for match in answers[0]["matches"]] == [1, 2, 3]
    assert answers[0]["threshold"]["num_people"] == 4
    assert "not an image" in answers[3]["problem"]
    rows = list(csv.DictReader(io.StringIO(call(*command, "--csv"))))
    assert len(rows) == 3 * 3 + 1
    assert rows[0]["name"] == answers[0]["matches"][0]["name"]
    assert float(rows[0]["probability"]) == pytest.approx(answers[0]["matches"][0]["probability"], abs=1e-5)
    together = json.loads(call("identify", gallery, *photos, "--view", "dorsal", "--together", "--json"))
    assert len(together) == 1
    assert "not both" in fail(*command, "--json", "--csv")


@pytest.mark.slow
def test_rates_are_read_and_refused(gallery: Path, folders: Path) -> None:
    photo = sorted((folders / "ask" / "0000017").iterdir())[0]
    ask = ["identify", gallery, photo, "--view", "dorsal", "--fpir"]
    assert "best estimate for 30 %" in call(*ask, "30%")
    assert "the interval ends at 60 % at most" in call(*ask, "60%", "--fpir-bound", "upper")
    assert "12 calibration people who are not enrolled cannot carry a rate of 1 %" in fail(
        "identify", gallery, photo, "--view", "dorsal", "--fpir", "1%"
    )
    for text in ("0", "120%", "many"):
        assert "expected a rate such as 1%" in fail("identify", gallery, photo, "--fpir", text)


@pytest.mark.slow
def test_verify_a_person_and_still_two_photos(world: World, gallery: Path, folders: Path) -> None:
    photo = sorted((folders / "ask" / "0000017").iterdir())[0]
    said = call("verify", gallery, "person 0000017", photo, "--view", "dorsal")
    assert "probability of Person 0000017" in said
    assert "of equal errors" in said
    answer = json.loads(call("verify", gallery, "Person 0000017", photo, "--view", "dorsal", "--json"))[0]
    assert 0 < answer["probability"] < 1
    assert "Nobody is enrolled as 'Ada'" in fail("verify", gallery, "Ada", photo)
    for wrong in ([], ["Ada"], ["Ada", photo, "-i1", photo]):
        assert "Expected a name and photos" in fail("verify", gallery, *wrong)
    assert "Expected RUN and two photos" in fail("verify", world.run, photo)


def test_looking_after_people(gallery: Path, folders: Path) -> None:
    assert call("gallery", "list", gallery).endswith("4 people, 12 photos\n")
    listed = json.loads(call("gallery", "list", gallery, "--json"))
    assert listed[0]["name"] == "Person 0000014"
    assert {hand["view"] for hand in listed[0]["hands"]} == {"palmar"}
    photos = json.loads(call("gallery", "show", gallery, "Person 0000014", "--json"))["photos"]
    assert photos[0]["id"][:12] in call("gallery", "show", gallery, "Person 0000014")
    assert "removed 1 photo of" in call("gallery", "remove", gallery, "Person 0000014", "--photo", photos[0]["id"][:8])
    call("gallery", "rename", gallery, "Person 0000014", "Ada")
    assert "moved 3 photos of 'Person 0000015' to 'Ada'" in call("gallery", "merge", gallery, "Ada", "Person 0000015")
    assert "found nowhere now" in call("gallery", "forget", gallery, "Person 0000017")
    assert "and the person" in call("gallery", "remove", gallery, "Person 0000016")
    assert call("gallery", "list", gallery).endswith("1 person, 5 photos\n")
    log = call("gallery", "log", gallery)
    assert [line.split()[2] for line in log.splitlines()] == ["add"] * 4 + [
        "remove",
        "rename",
        "merge",
        "forget",
        "remove",
    ]
    assert "Ada" not in log
    call("gallery", "backup", gallery, folders / "copy")
    assert call("gallery", "list", folders / "copy").endswith("1 person, 5 photos\n")
    assert call("gallery", "compact", gallery) == "done\n"
    assert "Nobody is enrolled" in fail("gallery", "remove", gallery, "Person 0000016")


def test_check_prints_what_it_finds(gallery: Path, folders: Path) -> None:
    photo = sorted((folders / "enrol" / "Person 0000014").rglob("*.jpg"))[0]
    again = folders / "again.jpg"
    again.write_bytes(photo.read_bytes() + b"\0")
    call("gallery", "add", gallery, "Person 0000015", again, "--view", "palmar")
    said = call("gallery", "check", gallery)
    assert "nearly the same picture" in said
    report = json.loads(call("gallery", "check", gallery, "--json"))
    assert report["damage"] == []
    assert report["duplicates"][0]["similarity"] > 0.999
    file = gallery / "gallery.sqlite"
    contents = bytearray(file.read_bytes())
    place = contents.find(b"palmar", len(contents) // 3)
    contents[place] ^= 1
    file.write_bytes(contents)
    assert "is damaged" in fail("gallery", "check", gallery)


def test_a_protected_gallery_from_the_shell(
    world: World, gallery: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANDNET_GALLERY_KEY", raising=False)
    key, new = folders / "key", folders / "new"
    call("gallery", "make-key", key)
    call("gallery", "make-key", new)
    assert "generation 1" in call("gallery", "rotate-key", gallery, "--new-key-file", key)
    assert "is protected" in fail("gallery", "list", gallery)
    assert "4 people" in call("gallery", "list", gallery, "--key-file", key)
    monkeypatch.setenv("HANDNET_GALLERY_KEY", key.read_text())
    assert "4 people" in call("gallery", "list", gallery)
    assert "generation 2" in call("gallery", "rotate-key", gallery, "--new-key-file", new)
    assert "not the collection's key" in fail("gallery", "list", gallery)
    monkeypatch.setenv("HANDNET_GALLERY_KEY_FILE", str(new))
    assert b"Person 00000" not in (gallery / "gallery.sqlite").read_bytes()
    photo = sorted((folders / "ask" / "0000017").iterdir())[0]
    assert "Person 0000017" in call("identify", gallery, photo, "--view", "dorsal")
    assert "Give the new key" in fail("gallery", "rotate-key", gallery)
    assert "not protected any longer" in call("gallery", "rotate-key", gallery, "--unprotect")


def test_export_is_read_by_the_evaluation(world: World, gallery: Path, folders: Path) -> None:
    target = folders / "vectors.npz"
    assert "not protected there" in call("gallery", "export", gallery, target)
    with np.load(target) as file:
        assert file["embeddings"].shape == (12, 8)
        assert sorted(set(file["identities"])) == [f"Person {n:07d}" for n in range(14, 18)]
        assert set(file["sides"]) == {"left", "right"}
    assert ".npz or .parquet" in fail("gallery", "export", gallery, folders / "vectors.txt")


@pytest.mark.slow
def test_migrate_says_who_cannot(world: World, gallery: Path, folders: Path) -> None:
    arguments = ["gallery", "migrate", gallery, "--model", world.model, "--data", world.data]
    said = call(*arguments, "--dry-run")
    assert "cannot be migrated: 'Person 0000014', 3 photos: the photo was not kept" in said
    assert "0 photos of 0 of 4 people can be migrated" in said
    assert "so nothing was changed" in fail(*arguments)
    assert "12 photos of 4 of 4 people migrated" in call(*arguments, "--photos", folders / "enrol")
    assert "Give the model to migrate to" in fail("gallery", "migrate", gallery)


@pytest.mark.slow
def test_exported_model_needs_people_to_calibrate_with(world: World, folders: Path) -> None:
    create = ["gallery", "create", folders / "m", "--model", world.model]
    assert "has no people to calibrate with" in fail(*create)
    assert "calibrated on the people of data" in call(*create, "--data", world.data)
    call("gallery", "add", folders / "m", "Ada", sorted((folders / "ask" / "0000017").iterdir())[0], "--review", "off")
    assert "1 person, 1 photo" in call("gallery", "list", folders / "m")


def test_mistakes_are_one_line(world: World, gallery: Path, folders: Path) -> None:
    photo = sorted((folders / "ask" / "0000017").iterdir())[0]
    assert "exists already" in fail("gallery", "create", gallery, "--run", world.run)
    assert "needs a model" in fail("gallery", "create", folders / "x")
    assert "not both" in fail("gallery", "create", folders / "x", "--run", world.run, "--model", world.model)
    assert "There is no gallery" in fail("gallery", "list", folders / "x")
    assert "There is no run folder" in fail("gallery", "create", folders / "x", "--run", folders / "gone")
    assert not (folders / "x").exists()
    broken = folders / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:500])
    assert "No photo of 'Ada' was enrolled: 1 of 1 refused" in fail("gallery", "add", gallery, "Ada", broken)
    assert "No photo was enrolled" in fail("gallery", "import", gallery, folders / "enrol")
    assert "Unknown store" in fail("gallery", "list", gallery, "--store", "mongo://x")


@pytest.mark.slow
def test_a_photo_that_cannot_be_used_is_no_answer(gallery: Path, folders: Path) -> None:
    """A script must not take it for "nobody enrolled"."""
    (folders / "empty.jpg").touch()
    for command in (["identify", gallery], ["identify", gallery, "--json"], ["verify", gallery, "Person 0000014"]):
        said = fail(*command, folders / "empty.jpg", folders / "missing.jpg")
        assert "None of the 2 photos has an answer: empty file" in said
    good = next((folders / "ask").rglob("*.jpg"))
    assert "cannot be used: empty file" in call("identify", gallery, folders / "empty.jpg", good)


def test_a_blank_photo_does_not_remove_the_person(gallery: Path) -> None:
    assert "--photo is blank" in fail("gallery", "remove", gallery, "Person 0000014", "--photo", "")
    assert "4 people, 12 photos" in call("gallery", "list", gallery)


def test_a_blank_name_of_a_gallery_is_refused(world: World) -> None:
    assert "needs a name" in fail("gallery", "create", "", "--run", world.run)


def test_names_that_no_file_system_takes_are_one_line(gallery: Path, world: World) -> None:
    long = "x" * 300
    assert "Cannot read the gallery" in fail("gallery", "list", long)
    assert "Cannot write" in fail("gallery", "create", long, "--run", world.run)
    for option, said in (("--run", "There is no run folder"), ("--model", "There is no exported model")):
        assert said in fail("gallery", "create", gallery.parent / "new", option, long)
    assert "There is no run folder" in fail("verify", long, "a.jpg", "b.jpg")
    assert "Expected a folder of people" in fail("gallery", "import", gallery, long)


def test_delete_takes_the_name_once_more(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ((), ("--confirm", "people")):
        assert f"--confirm {gallery.name}" in fail("gallery", "delete", gallery, *options)
    with monkeypatch.context() as patch:
        patch.chdir(gallery)
        assert f"--confirm {gallery.name}" in fail("gallery", "delete", ".")
    assert "Person" in call("gallery", "list", gallery)
    call("gallery", "delete", gallery, "--confirm", gallery.name)
    assert not gallery.exists()
    assert "There is no gallery" in fail("gallery", "list", gallery)
