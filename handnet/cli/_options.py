"""Options that several commands have, each written once: settings, and the data set of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


def with_overrides(example: str) -> Callable[[Command], Command]:
    """Give a command the option --set, with an override in its help that fits the command."""
    return click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=f"Any setting, e.g. {example}.")


def with_settings(example: str) -> Callable[[Command], Command]:
    """Give a command the options --config and --set."""
    config = click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="TOML file of settings, the same as for `handnet train`.",
    )
    return lambda command: config(with_overrides(example)(command))


def with_config_file(command: Command) -> Command:
    """Give a command the optional argument CONFIG.toml."""
    argument = click.argument("config_file", metavar="[CONFIG.toml]", required=False, type=click.Path(path_type=Path))
    return argument(command)


def with_run(command: Command) -> Command:
    """Give a command the argument RUN and the option --data."""
    return click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))(with_data_of_run(command))


def with_data_of_run(command: Command) -> Command:
    """Give a command the option --data: by default the run's own data set."""
    return click.option("--data", default="", metavar="DIR", help="Data set.  [default: the run's own]")(command)


def _with_skip_option(more: str) -> Callable[[Command], Command]:
    text = f"Leave out photos that show no hand, and list them{more}"
    return click.option("--skip-without-hand", is_flag=True, help=text)


# For commands that read a run, and for those that train one.
with_skip = _with_skip_option(".  [default: as the run was trained]")
with_skip_setting = _with_skip_option(" (data.skip_without_hand).")


def with_part(command: Command) -> Command:
    """Give a command the option --part, of the run's split."""
    option = click.option(
        "--part", default="test", show_default=True, help="train, val or test people of the run's split."
    )
    return option(command)
