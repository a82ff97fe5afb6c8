"""`handnet explain`."""

from pathlib import Path

from tests.cli.command_line import CommandLine, copy_run


def test_two_photos_are_explained_on_a_page(command: CommandLine, finished: Path) -> None:
    copy_run(finished, Path("run"))
    one, other = sorted((finished / "hands/Hands").glob("*.jpg"))[:2]
    outcome = command.run("explain", "run", "-i1", one, "-i2", other)
    assert outcome.code == 0, outcome.err
    assert "similarity " in outcome.out
    assert "wrote evidence.html" in outcome.out
    # The head of this run is not linear: its places are measured and not accounted for.
    assert "no exact shares" in Path("evidence.html").read_text()


def test_what_cannot_be_explained_is_one_line(command: CommandLine, finished: Path) -> None:
    copy_run(finished, Path("run"))
    Path("bad.jpg").write_bytes(b"no photo")
    photo = next((finished / "hands/Hands").glob("*.jpg"))
    assert "'bad.jpg' cannot be used" in command.fail("explain", "run", "-i1", photo, "-i2", "bad.jpg")
    assert "There is no run folder 'gone'." in command.fail("explain", "gone", "-i1", photo, "-i2", photo)
    assert "Missing option '-i2'" in command.fail("explain", "run", "-i1", photo, code=2)
