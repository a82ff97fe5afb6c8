"""The command line as a hostile new user tries it: each mistake is one line on stderr, exit code 1 or 2, nothing half written."""

import json
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest

import handnet.cli.main
from handnet.data.checks import FORMATS
from handnet.data.readers.hands11k import read_hands11k
from handnet.data.splits.rules import make_split, select_part
from handnet.networks.backbones import BACKBONES
from tests.photos import HOSTILE_NAME, UNUSABLE, USABLE, write_png_bomb
from tests.tiny import HEADER, tiny_backbone, write_tiny

ROOT = Path(__file__).resolve().parents[2]
# Settings with which a training on tests/tiny.py's data takes seconds.
QUICK = (
    "--arch=tiny",
    "--epochs=1",
    "--batch=8",
    "--precision=float32",
    *(f"--set={setting}" for setting in ("image.size_px=32", "sampler.passes_per_epoch=1", "model.hidden_size=16")),
    *(f"--set=augment.{kind}_probability=0" for kind in ("rotation", "translation", "zoom", "color", "blur")),
)
NUM_PEOPLE = 20
PROGRESS = re.compile(r"^[a-z ]+: [0-9,]+/[0-9,]+, .* a second, .* s left$")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class CommandLine:
    """Calls `handnet.cli.main.main` as the console script does, and captures what it prints."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd, self._monkeypatch = capfd, monkeypatch

    def run(self, *arguments: object) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["handnet", *map(str, arguments)])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            handnet.cli.main.main()
        out, err = self._capfd.readouterr()
        assert isinstance(stop.value.code, int)
        assert "Traceback" not in out + err
        # On a busy machine work that takes no time may take the second after which progress is shown.
        lines = [line for line in err.splitlines(keepends=True) if not PROGRESS.search(line)]
        return Outcome(stop.value.code, out, "".join(lines))

    def fail(self, *arguments: object, code: int = 1) -> str:
        """Run a command that must fail with one line and leave the working folder as it is; return the line."""
        before = list_files(Path())
        outcome = self.run(*arguments)
        lines = outcome.err.splitlines()
        assert (outcome.code, len(lines)) == (code, 1), outcome
        assert lines[0].startswith("handnet: ")
        assert list_files(Path()) == before, "nothing is written"
        return lines[0]


def list_files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.fixture(scope="module", autouse=True)
def _tiny_backbone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
        yield


@pytest.fixture
def command(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, working_folder: Path
) -> Iterator[CommandLine]:
    """The command line, in an empty working folder."""
    del working_folder
    handler = signal.getsignal(signal.SIGTERM)
    yield CommandLine(capfd, monkeypatch)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set `hands` and a finished run `run` on it; tests copy before they change anything."""
    folder = tmp_path_factory.mktemp("finished")
    write_tiny(folder / "hands", NUM_PEOPLE, photos_per_view=1)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("HANDNET_CACHE", str(folder / "cache"))
        arguments = ["train", f"--data={folder / 'hands'}", f"--run={folder / 'run'}", *QUICK]
        monkeypatch.setattr(sys, "argv", ["handnet", *arguments])
        with pytest.raises(SystemExit) as stop:
            handnet.cli.main.main()
    signal.signal(signal.SIGTERM, handler)
    assert stop.value.code == 0
    return folder


def copy_run(finished: Path, target: Path) -> Path:
    return Path(shutil.copytree(finished / "run", target))


def training_photos(folder: Path) -> list[Path]:
    """Return the photos of the people whom the default split trains on."""
    dataset = read_hands11k(folder)
    return [Path(example.path) for example in select_part(dataset, make_split("hands-cross-view", dataset), "train")]


# Options and settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'? See: handnet --help"),
        (["data", "chekc", "x"], "No such command 'chekc'. Did you mean 'check'? See: handnet data --help"),
        (["train", "--epoch", "3"], "No such option '--epoch'"),
        (["train", "--epochs", "many"], "'many' is not a valid integer. See: handnet train --help"),
        (["train", "--set", "train.epoch=3"], "Unknown config key 'train.epoch'. Did you mean 'train.epochs'?"),
        (["train", "--set", "trian.epochs=3"], "Unknown config key 'trian'. Did you mean 'train'?"),
        (["train", "--set", "epochs"], "Expected an override of the form section.key=value. Received: 'epochs'."),
        (["train", "--precision", "float23"], "Unknown value of train.precision: 'float23'. Did you mean 'float32'?"),
        (["train", "--epochs", "-1"], "`train.epochs` must lie between 0 and"),
        (["train", "--batch", "7"], "--batch must be a multiple of 2 photos"),
        (["train", "absent.toml"], "There is no configuration file 'absent.toml'."),
        (["train", "--resume"], "--resume needs --run DIR"),
        (["train", "--resume", "--run", "r", "--epochs", "9"], "--resume takes all settings from the run."),
        (["data", "check"], "Missing argument 'DIR'. See: handnet data check --help"),
        (["data", "check", "x", "--split", "a", "--split-file", "b"], "Give --split or --split-file, not both."),
        (
            ["data", "check", "x", "--set", "data.spilt=a"],
            "Unknown config key 'data.spilt'. Did you mean 'data.split'?",
        ),
        (["data", "check", "x", "--reader", "hands12k"], "Unknown reader 'hands12k'. Did you mean 'hands11k'?"),
        (["data", "synth", "x", "--size", "9"], "Expected --size as WIDTHxHEIGHT, such as 256x192. Received: '9'."),
    ],
)
def test_a_wrong_command_option_or_setting_is_named(arguments: list[str], message: str, command: CommandLine) -> None:
    assert message in command.fail(*arguments, code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arch", "resnet05"], "Unknown backbone 'resnet05'. Did you mean 'resnet50'?"),
        (["--loss", "tripet"], "Unknown loss 'tripet'. Did you mean 'triplet'?"),
        (["--set", "loss.options.margn=1"], "Unknown option of the loss 'triplet' 'margn'. Did you mean 'margin'?"),
        (["--set", "loss.options.margin=-1"], "`margin` must be a positive number. Received: margin=-1"),
        (["--set", "data.split=hand-cross-view"], "Unknown split 'hand-cross-view'. Did you mean 'hands-cross-view'?"),
    ],
)
def test_a_wrong_name_is_named_before_any_photo_is_decoded(
    arguments: list[str], message: str, command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.training.session.prepare_photos", lambda *_: pytest.fail("photos were decoded"))
    assert message in command.fail("train", f"--data={finished / 'hands'}", *arguments, code=2)


def test_a_backend_of_keras_that_is_not_installed_is_named(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK, code=2)
    assert line == "handnet: KERAS_BACKEND names 'theano', which is not installed here. Unset it."


def test_the_quickstart_belongs_to_a_checkout(command: CommandLine) -> None:
    assert "There is no configuration file 'configs/quickstart.toml'." in command.fail("quickstart", code=2)


def test_a_wrong_key_in_a_file_is_named(command: CommandLine) -> None:
    Path("mine.toml").write_text("[optimizer]\nlearnign_rate = 1e-3\n")
    line = command.fail("train", "mine.toml", code=2)
    assert "Unknown config key 'optimizer.learnign_rate'. Did you mean 'optimizer.learning_rate'?" in line


def test_help_is_no_mistake(command: CommandLine) -> None:
    for arguments in ([], ["data"]):
        outcome = command.run(*arguments)
        assert "Usage: handnet" in outcome.out + outcome.err
    assert command.run("train", "--help").code == 0


def test_a_reader_of_the_output_who_leaves_is_no_mistake() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "handnet", "train", "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.wait()


# Data that cannot be used


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
    line = 'handnet: Split "hands-cross-view" needs at least 10 people. Received: 1. Use split "fractions".\n'
    assert (outcome.code, outcome.err) == (1, line)
    line = command.fail("train", "--data=hands", "--set=data.split=fractions", *QUICK)
    assert 'Split "fractions" with these options needs at least 2 people. Received: 1 with photos.' in line


def test_people_with_one_view_only_are_left_out_and_said(command: CommandLine, finished: Path) -> None:
    folder = Path(shutil.copytree(finished / "hands", "hands"))
    photos = training_photos(folder)
    photos[0].unlink()
    photos[3].unlink()
    outcome = command.run("train", "--data=hands", "--run=run", *QUICK)
    assert outcome.code == 0
    assert "Training: left out 2 people (" in outcome.out
    assert ") with one view only." in outcome.out
    for photo in photos[4::2]:
        photo.unlink()
    line = command.fail("train", "--data=hands", "--run=other", *QUICK)
    assert (
        "Training needs at least 2 people with a dorsal and a palmar photo each. Received: 0 such people among 13"
        in line
    )


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


# Photos that cannot be used


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
        f" and {len(photos) - 5} more. Repair or remove them (`handnet data check` lists what cannot be decoded)."
        in line
    )


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


def test_awkward_photos_that_can_be_used_are_remarked_and_used(command: CommandLine, finished: Path) -> None:
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


# Outputs that cannot be written


@pytest.mark.parametrize("target", ["notes.txt", "notes.txt/below", "/proc/handnet"])
def test_outputs_that_cannot_be_written_are_one_line(target: str, command: CommandLine, finished: Path) -> None:
    Path("notes.txt").write_text("keep me")
    data, run = f"--data={finished / 'hands'}", finished / "run"
    for arguments in (
        ["train", data, f"--run={target}", *QUICK],
        ["eval", run, f"--output={target}"],
        ["export", run, target],
        ["data", "synth", target, "--people=2", "--photos=1"],
        ["data", "augment-preview", finished / "hands", f"--output={target}/preview.png"],
    ):
        line = command.fail(*arguments)
        assert "notes.txt" in line or "/proc" in line
    outcome = command.run("data", "check", finished / "hands", f"--output={target}")
    assert (outcome.code, len(outcome.err.splitlines())) == (1, 1)
    assert Path("notes.txt").read_text() == "keep me"


def test_a_full_disk_is_said_before_any_work(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 1_000_000}))
    monkeypatch.setattr("handnet.data.readers.hands11k._list_photos", lambda *_: pytest.fail("work was begun"))
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK)
    assert "has 1.0 MB free and about 100 MB are needed. Free space or give another folder." in line
    monkeypatch.setattr("handnet.cli.export.start_tensorflow", lambda: pytest.fail("work was begun"))
    monkeypatch.setattr("handnet.cli.cv.start_tensorflow", lambda: pytest.fail("work was begun"))
    assert "has 1.0 MB free" in command.fail("export", finished / "run", "model")
    assert "has 1.0 MB free" in command.fail("cv", f"--data={finished / 'hands'}", "--set=model.arch=tiny")


def test_a_cache_that_cannot_be_written_is_said(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_CACHE", "/proc/cache")
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK)
    assert "Cannot write '/proc/cache/photos/" in line
    assert "HANDNET_CACHE names another folder for the cache of decoded photos." in line


def test_a_folder_that_is_in_use_is_not_drawn_into(command: CommandLine) -> None:
    write_tiny(Path("hands"), num_people=2, photos_per_view=1)
    assert "The folder" in (line := command.fail("data", "synth", "hands", "--people=2"))
    assert "is not empty" in line


# Weights


def test_a_hub_out_of_reach_says_how_to_go_on_without(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    attempts = []

    def refuse(*address: object, **_: object) -> None:
        attempts.append(address)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("KAGGLEHUB_CACHE", "HF_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("hub")))
    for arch in ("dino", "resnet50"):
        line = command.fail("train", f"--data={finished / 'hands'}", f"--arch={arch}", "--loss=triplet")
        assert "cannot be fetched" in line
        assert "`--weights DIR` here" in line
        assert "--weights none" in line
    assert 0 < len(attempts) <= 8, "it gives up at once"


def test_weights_that_are_not_there_or_are_none_are_said(command: CommandLine, finished: Path) -> None:
    data = f"--data={finished / 'hands'}"
    assert "No weights at 'absent.pth'" in command.fail("train", data, "--arch=dino-tiny", "--weights=absent.pth")
    Path("photo.pth").write_bytes(b"\xff\xd8\xff\xe0 no weights")
    assert "photo.pth" in command.fail("train", data, "--arch=dino-tiny", "--weights=photo.pth")
    assert "train it from scratch" in command.fail("train", data, "--arch=small", "--weights=preset")


# Runs


def test_an_existing_run_is_kept(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK)
    assert "The run 'run' exists already. Continue it with --resume, or give another --run." in line
    outcome = command.run("train", "--resume", "--run=run")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "run is finished: 1 epochs. Evaluate it with: handnet eval run\n"
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "arguments", [["train", "--resume", "--run=x"], ["eval", "x"], ["export", "x", "saved_models/x"]]
)
def test_a_folder_that_is_no_run_is_said(arguments: list[str], command: CommandLine) -> None:
    assert "There is no run folder 'x'." in command.fail(*arguments)
    Path("x").mkdir()
    Path("x/config.toml").write_text("")
    assert "'x' is not a run folder: it lacks run.json, split.csv." in command.fail(*arguments)
    shutil.rmtree("x")
    Path("x").write_text("a file")
    assert "There is no run folder 'x'." in command.fail(*arguments)


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("run.json", b"{", "The run 'run' is damaged"),
        ("run.json", b"[]", "The run 'run' is damaged"),
        ("run.json", b"{}", "The run 'run' is damaged"),
        ("run.json", b'{"data": {}}', "The run 'run' is damaged: run.json does not say its status or its data"),
        ("config.toml", b"[trian]", "The run 'run' is damaged: Unknown config key 'trian'. Did you mean 'train'?"),
        ("config.toml", b"\xff", "The run 'run' is damaged"),
        ("split.csv", b"", "split.csv' is damaged"),
        ("split.csv", b"\xff\xfe", "split.csv' cannot be read"),
        ("split.csv", b"identity,part\n1,tset\n", "split.csv' is damaged"),
        ("model.weights.h5", b"", "model.weights.h5' does not fit the run's configuration or is damaged"),
        (
            "model.weights.h5",
            b"\x89HDF\r\n\x1a\n",
            "model.weights.h5' does not fit the run's configuration or is damaged",
        ),
    ],
)
def test_a_damaged_run_is_one_line(
    name: str, contents: bytes, message: str, command: CommandLine, finished: Path
) -> None:
    copy_run(finished, Path("run"))
    (Path("run") / name).write_bytes(contents)
    assert message in command.fail("eval", "run", "--output=report")


def test_weights_of_another_network_or_none_are_said(command: CommandLine, finished: Path) -> None:
    copy_run(finished, Path("run"))
    with h5py.File("run/model.weights.h5", "w") as file:
        file["mine"] = [1.0, 2.0]
    assert "does not fit the run's configuration or is damaged" in command.fail("eval", "run", "--output=report")
    Path("run/model.weights.h5").unlink()
    assert "has no model.weights.h5" in command.fail("eval", "run", "--output=report")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{", "checkpoint/state.json' is damaged: "),
        ('{"epochs_done": 0, "arrays": "state-000000.npz"}', "state-000000.npz' is missing or damaged: "),
    ],
)
def test_a_damaged_checkpoint_is_one_line(state: str, message: str, command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "status": "started"}))
    (run / "checkpoint").mkdir()
    (run / "checkpoint/state.json").write_text(state)
    assert message in command.fail("train", "--resume", "--run=run")


def test_a_part_that_cannot_be_evaluated_is_one_line(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    assert "Unknown part 'tset'. Did you mean 'test'?" in command.fail("eval", "run", "--part=tset", code=2)
    people = [line.split(",")[0] for line in (run / "split.csv").read_text().splitlines()[1:]]
    (run / "split.csv").write_text("identity,part\n" + "".join(f"{person},train\n" for person in people))
    assert "The test part of this split is empty." in command.fail("eval", "run")
    (run / "split.csv").write_text("identity,part\n0000000,train\nabsent,test\n")
    assert "The test part has 1 people and 0 rows in the table, and none of their photos is in" in command.fail(
        "eval", "run"
    )
    shutil.copytree(finished / "hands", "hands")
    table = Path("hands/HandInfo.csv")
    kept = [line for line in table.read_text().splitlines() if "palmar" not in line]
    table.write_text("\n".join(kept) + "\n")
    shutil.copy(finished / "run/split.csv", run / "split.csv")
    assert "palmar" in command.fail("eval", "run", "--data=hands")


def test_the_data_of_a_run_that_have_gone_are_said(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    facts = json.loads((run / "run.json").read_text())
    facts["data"]["directory"] = "/gone/hands"
    (run / "run.json").write_text(json.dumps(facts))
    for arguments in (["eval", "run"], ["export", "run", "saved_models/run"]):
        line = command.fail(*arguments)
        assert "There is no data folder '/gone/hands'" in line
        assert "--data DIR" in line


def test_train_eval_export_are_three_commands(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    outcome = command.run("eval", run)
    assert (outcome.code, outcome.err) == (0, "")
    metrics = json.loads((run / "eval-test/metrics.json").read_text())["retrieval"]["person"]["dorsal_to_palmar"]
    # 20 people: 13 train, 2 val, 5 test.
    assert (metrics["num_queries"], metrics["num_gallery"]) == (5, 5)
    assert metrics["chance"]["mean_rank"] == 3.0
    outcome = command.run("export", run, "saved_models/hands")
    assert (outcome.code, outcome.err) == (0, "")
    assert "wrote saved_models/hands/1; max abs error on 16 photos: " in outcome.out
    data = json.loads((run / "eval-test/metrics.json").read_text())["data"]
    card = Path("saved_models/hands/1/MODEL_CARD.md").read_text()
    assert f"Computed on {data['num_photos']} test photos, fingerprint `{data['fingerprint']}`." in card


def test_a_photo_that_was_damaged_since_is_named_by_eval_and_export(command: CommandLine, finished: Path) -> None:
    copy_run(finished, Path("run"))
    shutil.copytree(finished / "hands", "hands")
    for photo in Path("hands/Hands").iterdir():
        photo.write_bytes(b"")
    Path("saved_models/run").mkdir(parents=True)
    for arguments in (["eval", "run"], ["export", "run", "saved_models/run"]):
        line = command.fail(*arguments, "--data=hands")
        assert "photos cannot be used: " in line
        assert "empty file" in line


def test_embeddings_of_any_model_are_evaluated_and_normalised_on_request(command: CommandLine, tmp_path: Path) -> None:
    people = np.repeat([f"p{k}" for k in range(6)], 2)
    views = np.asarray(["dorsal", "palmar"] * 6)
    views[-1] = "dorsal"
    rows = np.repeat(np.eye(6, dtype=np.float32), 2, axis=0)
    file = tmp_path / "vectors.npz"
    np.savez(file, embeddings=3.0 * rows, identities=people, views=views)
    assert "unit norm" in command.fail("eval", "--embeddings", file)
    assert "belong to --embeddings" in command.fail("eval", "run", "--normalize", code=2)
    outcome = command.run("eval", "--embeddings", file, "--normalize", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "1 with one view only are never queries (p5)" in outcome.out
    figures = json.loads((tmp_path / "out/metrics.json").read_text())["protocols"]["person_template"][
        "dorsal_to_palmar"
    ]
    assert figures["recall_at_1"] == 1.0
    assert (tmp_path / "out/report.html").read_text().startswith("<!doctype html>")


def test_validation_vectors_of_another_model_are_refused(command: CommandLine, tmp_path: Path) -> None:
    for name, width in (("test", 128), ("val", 512)):
        people = np.repeat([f"{name}{k}" for k in range(6)], 2)
        rows = np.repeat(np.eye(6, width, dtype=np.float32), 2, axis=0)
        np.savez(tmp_path / f"{name}.npz", embeddings=rows, identities=people, views=["dorsal", "palmar"] * 6)
    line = command.fail("eval", "--embeddings", tmp_path / "test.npz", "--val-embeddings", tmp_path / "val.npz")
    assert "vectors of 512 numbers for validation and of 128 for the test" in line
