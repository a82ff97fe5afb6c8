"""`handnet data`, and where every command's data come from: awkward and hostile photos and tables."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handnet.data.blank_rule import BLANK
from handnet.data.checks import FORMATS
from handnet.data.synthetic import write_synthetic
from tests.cli.command_line import QUICK, CommandLine, list_files, training_photos
from tests.hand_models import find_hand_models
from tests.photos import HOSTILE_NAME, UNUSABLE, USABLE, write_png_bomb
from tests.tiny import HEADER, train_eagerly, write_tiny


def break_nothing_there(folder: Path) -> None:
    shutil.rmtree(folder)


def break_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("I am a file")


def break_table(contents: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "HandInfo.csv").write_bytes(contents) and None


def break_all_photos(folder: Path) -> None:
    shutil.rmtree(folder / "Hands")
    (folder / "Hands").mkdir()


BROKEN_DATA: dict[str, tuple[Callable[[Path], None], str]] = {
    "no folder": (break_nothing_there, "11k Hands can be downloaded from https://"),
    "a file": (break_by_a_file, "11k Hands can be downloaded from https://"),
    "no table": (lambda folder: (folder / "HandInfo.csv").unlink(), "There is no HandInfo.csv in"),
    "no photo folder": (lambda folder: shutil.rmtree(folder / "Hands"), "There is no folder Hands in"),
    "no photos": (break_all_photos, "rows of hands/HandInfo.csv has a usable photo in"),
    "empty table": (break_table(b""), "HandInfo.csv is empty. Expected a header with the columns"),
    "header alone": (break_table(HEADER.encode() + b"\n"), "has a header and no rows"),
    "another table": (break_table(b"name;price\nhammer;3\n"), "lacks the columns id, aspectOfHand, imageName"),
    "a photo as table": (break_table(b"\xff\xd8\xff\xe0" + bytes(range(256))), "is not a table of comma-separated"),
    "a column missing": (break_table(b"id,imageName\n1,a.jpg\n"), "lacks the column aspectOfHand. Received: id, image"),
    "cells missing": (break_table(HEADER.encode() + b"\n1,20\n"), "line 2: expected 9 cells. Received: 2."),
    "a path": (
        break_table(b"id,aspectOfHand,imageName\n1,dorsal left,../../etc/passwd\n"),
        "imageName must be the plain name of a file in Hands/. Received: ../../etc/passwd.",
    ),
}


@pytest.mark.parametrize("kind", BROKEN_DATA)
@pytest.mark.parametrize(
    "arguments", [["data", "check", "hands"], ["train", "--data=hands", *QUICK]], ids=["check", "train"]
)
def test_data_that_cannot_be_read_are_one_line(kind: str, arguments: list[str], command: CommandLine) -> None:
    spoil, message = BROKEN_DATA[kind]
    spoil(write_tiny(Path("hands"), 2, 1))
    assert message in command.fail(*arguments)


def test_without_data_the_line_says_where_to_get_them(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    line = command.fail("train", "--arch", "dino", "--loss", "triplet")
    assert "There is no data folder 'data/hands11k'. 11k Hands can be downloaded from https://" in line
    assert "DIR/HandInfo.csv and DIR/Hands/Hand_0000002.jpg" in line
    assert "--data synthetic" in line
    monkeypatch.setenv("HANDNET_DATA", "elsewhere")
    assert "There is no data folder 'elsewhere'" in command.fail("train", "--arch", "dino", "--loss", "triplet")
    for reader, words in (
        ("lfw", "LFW can be"),
        ("tiny-imagenet", "Tiny ImageNet can be"),
        ("folder", "Expected layout:"),
    ):
        assert f"'elsewhere'. {words}" in command.fail("train", f"--set=data.reader={reader}")


def test_fewer_than_two_people_are_said_after_the_counts(command: CommandLine) -> None:
    write_tiny(Path("hands"), num_people=1)
    outcome = command.run("data", "check", "hands", "--output=pictures")
    assert "photos: 4 of 1 person, 4 to 4 each" in outcome.out
    assert "Matching needs at least 2 people." in outcome.out
    assert "unusable photos: 0" in outcome.out
    assert list_files(Path("pictures")) == {Path("photos-per-person.png"), Path("montage.png")}
    line = 'handnet: Split "hands-cross-view" needs at least 10 people. Received: 1. Use --set data.split=fractions.\n'
    assert (outcome.code, outcome.err) == (1, line)
    line = command.fail("train", "--data=hands", "--set=data.split=fractions", *QUICK)
    assert 'Split "fractions" with these options needs at least 2 people. Received: 1 with photos.' in line


@pytest.mark.slow
def test_photos_without_a_hand_are_named_where_training_would_crop_to_it(command: CommandLine) -> None:
    write_synthetic(Path("hands"), num_people=3, photos_per_view=1, seed=1, size_px=(128, 96), workers=1)
    photos = sorted(Path("hands/Hands").iterdir())
    hand = photos[2].read_bytes()
    # Paper in the light of a lamp: something is there, and no hand.
    paper = np.linspace(200, 250, 128).astype(np.uint8)
    Image.fromarray(np.broadcast_to(paper[:, np.newaxis], (96, 128, 3)).copy()).save(photos[2])
    check = ("data", "check", "hands", "--set=data.split=fractions")
    assert command.run(*check).code == 0
    outcome = command.run(*check, "--set=image.crop=hand", "--set=image.size_px=48")
    assert outcome.code == 1
    line = next(line for line in outcome.out.splitlines() if line.startswith("with image.crop=hand: "))
    assert "1 of 6 photos cannot be used: " in line
    assert photos[2].name in line
    photos[2].write_bytes(hand)
    outcome = command.run(*check, "--set=image.crop=hand", "--set=image.size_px=48")
    assert outcome.code == 0
    assert "with image.crop=hand: a hand in each photo" in outcome.out
    Image.new("RGB", (128, 96), "white").save(photos[2])
    outcome = command.run(*check)
    assert outcome.code == 1
    assert f"{photos[2].name}: {BLANK}" in outcome.out


def test_a_split_can_be_checked_before_training_by_it(command: CommandLine) -> None:
    write_tiny(Path("hands"), num_people=4, photos_per_view=1)
    Path("split.csv").write_text("identity,part\n0,train\n1,val\n2,test\n3,train\n")
    outcome = command.run("data", "check", "hands", "--split-file=split.csv")
    assert outcome.code == 0
    rows = [line.split()[:2] for line in outcome.out.splitlines()]
    assert [row for row in rows if row[:1] and row[0] in ("train", "val", "test")] == [
        ["train", "2"],
        ["val", "1"],
        ["test", "1"],
    ]
    settings = ("data.split=fractions", "data.split_options.train=0.5", "data.split_options.val=0.5")
    outcome = command.run("data", "check", "hands", *(f"--set={setting}" for setting in settings))
    rows = [line.split()[:2] for line in outcome.out.splitlines()]
    assert [row for row in rows if row[:1] and row[0] in ("train", "val", "test")] == [
        ["train", "2"],
        ["val", "2"],
        ["test", "0"],
    ]


@pytest.mark.slow
def test_every_unusable_photo_is_named_with_its_reason(command: CommandLine, finished: Path) -> None:
    folder = Path(shutil.copytree(finished / "hands", "hands"))
    # Twenty are listed, and these four are looked at.
    kinds = sorted(UNUSABLE, key=lambda kind: (kind not in ("zero-byte", "text", "truncated-jpeg", "png-bomb"), kind))
    photos = dict(zip(kinds, sorted(training_photos(folder)), strict=False))
    for kind, photo in photos.items():
        UNUSABLE[kind](photo)
    outcome = command.run("data", "check", "hands")
    assert (outcome.code, outcome.err) == (1, "")
    assert f"unusable photos: {len(photos)}" in outcome.out
    assert f"… and {len(photos) - 20} more" in outcome.out
    listed = {kind: photos[kind] for kind in kinds[:20]}
    reasons = {kind: outcome.out.split(f"{photo.name}: ")[1].splitlines()[0] for kind, photo in listed.items()}
    assert reasons["zero-byte"] == "empty file"
    assert reasons["text"] == f"not an image that can be read: expected {FORMATS}"
    assert reasons["truncated-jpeg"] == "truncated: the file ends before the picture does"
    assert reasons["png-bomb"] == "too large: 30,000 × 30,000 pixels, above the limit of 89 million"
    assert all(reasons.values())

    line = command.fail("train", "--data=hands", "--run=run", *QUICK)
    named = sorted(photo.name for photo in photos.values())
    assert f"{len(photos)} of 30 photos cannot be used: " in line
    assert all(name in line for name in named[:5]), "the first five are named"
    assert not any(name in line for name in named[5:])
    assert (
        f" and {len(photos) - 5} more. Repair or remove them (`handnet data check` lists damaged and blank ones)."
        in line
    )


@pytest.mark.slow
def test_a_decompression_bomb_is_named_and_never_decoded(command: CommandLine, finished: Path) -> None:
    folder = Path(shutil.copytree(finished / "hands", "hands"))
    bomb = write_png_bomb(training_photos(folder)[0])
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = command.run("data", "check", "hands")
    assert (outcome.code, outcome.err) == (1, "")
    assert f"{bomb.name}: too large: 30,000 × 30,000 pixels" in outcome.out
    line = command.fail("train", "--data=hands", "--run=run", *QUICK)
    assert f"1 of 30 photos cannot be used: '{bomb.absolute()}': too large: 30,000 × 30,000 pixels" in line
    # Decoded it would be 2.7 GB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < 1_000_000


@pytest.mark.slow
def test_awkward_photos_that_can_be_used_are_remarked_and_used(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_eagerly(monkeypatch)
    folder = Path(shutil.copytree(finished / "hands", "hands"))
    for kind, photo in zip(USABLE, training_photos(folder), strict=False):
        USABLE[kind](photo)
    outcome = command.run("data", "check", "hands")
    assert (outcome.code, outcome.err) == (0, "")
    assert "unusable photos: 0" in outcome.out
    assert "1 usable: animated: the first of 2 frames is used" in outcome.out
    assert "2 usable: CMYK: colours are converted without its colour profile" in outcome.out
    assert "2 usable: 16 bits per channel: read as 8" in outcome.out
    assert command.run("train", "--data=hands", "--run=run", *QUICK).code == 0


def test_names_that_would_write_to_the_terminal_are_written_out(command: CommandLine) -> None:
    folder = write_tiny(Path("hands"), num_people=2, photos_per_view=1)
    (folder / "Hands" / HOSTILE_NAME).write_bytes(b"")
    with (folder / "HandInfo.csv").open("a") as table:
        table.write(f'1,20,"female","fair",0,0,"dorsal left","{HOSTILE_NAME}",0\n')
    outcome = command.run("data", "check", "hands", "--split=fractions")
    assert outcome.code == 1
    assert "\x1b" not in outcome.out
    assert "new\\nline \\x1b[31mred" in outcome.out
    line = command.fail("train", "--data=hands", "--set=data.split=fractions", *QUICK)
    assert "\x1b" not in line


def test_a_folder_that_is_in_use_is_not_drawn_into(command: CommandLine) -> None:
    write_tiny(Path("hands"), num_people=2, photos_per_view=1)
    assert "The folder" in (line := command.fail("data", "synth", "hands", "--people=2"))
    assert "is not empty" in line


@pytest.mark.slow
def test_hands_are_looked_for_where_their_models_are(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(Path("nowhere").absolute()))
    write_synthetic(Path("hands"), 2, 1, seed=1, size_px=(640, 480), workers=1)
    check = ("data", "check", "hands", "--split=fractions", "--output=pictures")
    assert "Run: handnet weights fetch mediapipe-hands" in command.run(*check).out
    assert "hands" not in command.run(*check, "--no-hands").out.split("identical content: 0")[1]
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))
    table = Path("hands/HandInfo.csv")
    table.write_text(table.read_text().replace('"palmar right"', '"dorsal right"', 1))
    outcome = command.run(*check, "--sheet=sheet.png")
    assert outcome.code == 0
    assert "of 4 photos\n" in outcome.out
    assert "Hand_0000002.jpg: labelled dorsal right, shows palmar right" in outcome.out
    assert "quality: good " in outcome.out
    assert Path("sheet.png").is_file()
