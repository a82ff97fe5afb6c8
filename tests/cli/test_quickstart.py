"""`handnet quickstart`."""

from tests.cli.command_line import CommandLine


def test_the_quickstart_belongs_to_a_checkout(command: CommandLine) -> None:
    assert "There is no configuration file 'configs/quickstart.toml'." in command.fail("quickstart", code=2)
