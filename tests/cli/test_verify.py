"""`handnet verify` of two photos by a run; of people of a gallery: tests/gallery/test_commands.py."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from handnet.cli.main import cli
from handnet.config.run_folder import Run
from handnet.embedding.frozen_encoder import read_frozen
from handnet.errors import DataError
from handnet.evaluation.kept_thresholds import CALIBRATION_FILE
from tests.cli.command_line import CommandLine, copy_run
from tests.photos import write_jpeg


def test_two_photos_are_needed_and_both_must_be_usable(command: CommandLine, finished: Path) -> None:
    copy_run(finished, Path("run"))
    write_jpeg(Path("a.jpg"))
    Path("empty.jpg").write_bytes(b"")
    asked = "Expected RUN and two photos: handnet verify run A.jpg B.jpg. Received: "
    assert f"{asked}1 photo." in command.fail("verify", "run", "a.jpg", code=2)
    assert f"{asked}3 photos." in command.fail("verify", "run", "a.jpg", "-i1", "a.jpg", "-i2", "a.jpg", code=2)
    assert "'empty.jpg' cannot be used: empty file." in command.fail("verify", "run", "a.jpg", "empty.jpg")
    # It may have been meant for an exported model, of which files are missing.
    line = command.fail("verify", "x", "a.jpg", "a.jpg")
    assert "There is no run folder 'x'" in line
    assert "Or give an exported model: a folder with saved_model.pb and handnet_model.json" in line
    Path("run/split.csv").unlink()
    assert "exported model" not in command.fail("verify", "run", "a.jpg", "a.jpg")


def test_a_run_without_a_calibration_says_how_to_get_one(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    # Where another test has evaluated the shared run, it has one.
    (run / CALIBRATION_FILE).unlink(missing_ok=True)
    write_jpeg(Path("a.jpg"))
    line = command.fail("verify", "run", "a.jpg", "a.jpg")
    assert "'run' has no calibration yet: evaluate it first with handnet eval run --part val" in line


def ask(run: Run, *more: str) -> Result:
    first, second = sorted((run.folder.parent / "data").glob("*/*.png"))[:2]
    return CliRunner().invoke(cli, ["verify", str(run.folder), str(first), str(second), *more])


def test_the_first_answer_is_given_before_what_the_next_one_needs_is_kept(
    pairs_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("handnet.embedding.freeze_encoder.keep_frozen", stop)
        stopped = ask(pairs_run)
    assert stopped.stdout.startswith("the same person: probability")
    assert "kept for the next time" in stopped.stderr
    assert read_frozen(pairs_run) is None, "nothing half kept"
    first = ask(pairs_run)
    assert (first.exit_code, first.stdout) == (0, stopped.stdout)
    again = ask(pairs_run)
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.split(":")[0] == "the same person"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_cache_that_cannot_be_written_costs_a_warning_and_no_answer(
    pairs_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_CACHE", "/proc/handnet")
    result = ask(pairs_run)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("the same person: probability")
    assert "the next answer will take as long as this one: Cannot write in '/proc'" in result.stderr


def test_verify_on_the_command_line(pairs_run: Run, tmp_path: Path) -> None:
    photos = sorted((pairs_run.folder.parent / "data").glob("*/*.png"))
    answers = []
    for second in (photos[1], photos[-1]):
        arguments = ["verify", str(pairs_run.folder), "-i1", str(photos[0]), "-i2", str(second), "--json"]
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        answers.append(json.loads(result.stdout))
        assert read_frozen(pairs_run) is not None, "the first answer keeps what the second is given by"
    assert set(answers[0]) == {"first", "second", "same", "probability", "score", "threshold", "system"}
    assert answers[0]["probability"] > answers[1]["probability"]
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    for bad, message in ((tmp_path / "bad.jpg", "not an image"), (tmp_path / "gone.jpg", "No such file")):
        result = CliRunner().invoke(cli, ["verify", str(pairs_run.folder), "-i1", str(photos[0]), "-i2", str(bad)])
        assert isinstance(result.exception, DataError)
        assert message in str(result.exception)
