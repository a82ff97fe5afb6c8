"""`handnet weights`: list, fetch, convert."""

from pathlib import Path

from tests.cli.command_line import CommandLine


def test_published_weights_are_listed_and_a_folder_is_asked_for(command: CommandLine) -> None:
    listed = command.run("weights", "list").out
    assert any(line.split()[0] == "resnet50" for line in listed.splitlines())
    assert "Missing argument 'DIR'" in command.fail("weights", "fetch", "resnet50", code=2)
    Path("a.pth").write_bytes(b"none")
    assert "Missing option '--arch'" in command.fail("weights", "convert", "a.pth", "new", code=2)
    assert "Missing argument 'NEW_DIR'" in command.fail("weights", "convert", "a.pth", "--arch=resnet50", code=2)
    assert "a.pth" in command.fail("weights", "convert", "a.pth", "new", "--arch=resnet50")
