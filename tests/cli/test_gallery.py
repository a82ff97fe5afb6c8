"""`handnet gallery`, as far as no model is loaded; the rest: tests/gallery/test_commands.py."""

from pathlib import Path

from tests.cli.command_line import CommandLine


def test_a_gallery_that_cannot_be_made_or_opened_is_one_line(command: CommandLine) -> None:
    assert "--run RUN or --model saved_models/NAME." in command.fail("gallery", "create", "people", code=2)
    line = command.fail("gallery", "create", "people", "--run=a", "--model=b", code=2)
    assert "Give --run or --model, not both." in line
    Path("notes").mkdir()
    assert "'notes' exists already" in command.fail("gallery", "create", "notes", "--run=run")
    assert "There is no run folder 'run'" in command.fail("gallery", "create", "people", "--run=run")
    for name in ("list", "check"):
        assert "gone" in command.fail("gallery", name, "gone")
