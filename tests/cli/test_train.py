"""`handnet train`: what it refuses, each in one line, before it writes anything."""

import json
import shutil
import socket
from pathlib import Path

import click
import pytest

from handnet.cli.cv import cross_validation
from handnet.cli.train import train
from handnet.config.run_folder import read_run
from handnet.config.settings import Config
from handnet.errors import DataError
from tests.cli.command_line import (
    QUICK,
    CommandLine,
    copy_run,
    training_photos,
)

pytestmark = pytest.mark.usefixtures("without_graphs")


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


def test_the_option_to_skip_photos_without_a_hand_is_the_setting(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(config: Config, *_: object, **__: object) -> None:
        raise DataError(f"skip={config.data.skip_without_hand}")

    monkeypatch.setattr("handnet.cli.train.train_run", stop)
    data = f"--data={finished / 'hands'}"
    assert "skip=False" in command.fail("train", data, "--set=model.arch=tiny")
    assert "skip=True" in command.fail("train", data, "--set=model.arch=tiny", "--skip-without-hand")


def test_a_wrong_key_in_a_file_is_named(command: CommandLine) -> None:
    Path("mine.toml").write_text("[optimizer]\nlearnign_rate = 1e-3\n")
    line = command.fail("train", "mine.toml", code=2)
    assert "Unknown config key 'optimizer.learnign_rate'. Did you mean 'optimizer.learning_rate'?" in line


@pytest.mark.slow
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


def test_a_cache_that_cannot_be_written_is_said(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_CACHE", "/proc/cache")
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK)
    assert "Cannot write '/proc/cache/photos/" in line
    assert "HANDNET_CACHE names another folder for the cache." in line


@pytest.mark.slow
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


def test_a_backend_of_keras_that_is_not_installed_is_named(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK, code=2)
    assert line == "handnet: KERAS_BACKEND names 'theano', which is not installed here. Unset it."


@pytest.mark.parametrize("of", [train, cross_validation])
def test_the_reader_is_an_option_where_messages_name_it(of: click.Command) -> None:
    assert "--reader" in [option for parameter in of.params for option in parameter.opts]


@pytest.mark.slow
def test_a_run_finds_its_data_and_says_what_its_weights_had_seen_when_the_folder_it_was_typed_in_has_gone(
    command: CommandLine, finished: Path, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished / "hands", "hands")
    copy_run(finished, Path("first"))
    typed_in = working_folder / "w" / "a"
    typed_in.mkdir(parents=True)
    monkeypatch.chdir(typed_in)
    split = ("--set=data.split=fractions", "--set=data.split_options.seed=3")
    options = ("--data=../../hands", "--weights=../../first", "--run=../../run", *QUICK, *split)
    trained = command.run("train", *options)
    assert trained.code == 0, trained
    monkeypatch.chdir(working_folder)
    typed_in.rename("w/b")
    seen = json.loads(Path("run/run.json").read_text())["val_seen_by_weights"]
    assert 0 < seen["num_people"] <= seen["num_all_people"]
    assert f"warning: {seen['text']}" in trained.err
    evaluated = command.run("eval", "run", "--part=val")
    assert evaluated.code == 0, evaluated
    assert f"warning: {seen['text']}" in evaluated.err
    assert read_run(Path("run")).config.model.weights == str(working_folder / "first")
    assert "validation people" in Path("run/eval-val/report.html").read_text()
