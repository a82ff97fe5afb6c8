"""Options that several commands have are the same in each."""

import click

from handnet.cli.main import cli


def list_commands(group: click.Group, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        inner = (*path, name)
        found |= list_commands(command, inner) if isinstance(command, click.Group) else {inner: command}
    return found


COMMANDS = list_commands(cli)


def test_every_override_is_written_and_repeated_in_one_way() -> None:
    found = {path: [p for p in command.params if "--set" in p.opts] for path, command in COMMANDS.items()}
    found = {path: options[0] for path, options in found.items() if options}
    assert {path[-1] for path in found} == {"train", "cv", "lr-find", "check", "augment-preview"}
    for option in found.values():
        assert (option.metavar, option.multiple, option.name) == ("KEY=VALUE", True, "overrides")
        assert option.help.startswith("Any setting, e.g. ")
