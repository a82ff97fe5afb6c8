"""The pages of the commands hold every command and option, with its help."""

import subprocess
import sys

import click
import pytest

from handnet.cli.main import cli
from tests.documents import ROOT
from website.commands import describe_commands, escape


def list_commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        return [found for name, inner in command.commands.items() for found in list_commands(inner, f"{path} {name}")]
    return [(path, command)]


@pytest.mark.parametrize(("path", "command"), list_commands(cli, "handnet"), ids=lambda value: str(value)[:40])
def test_every_command_is_there_with_its_options(path: str, command: click.Command) -> None:
    page = describe_commands()[path.split()[1]]
    section = page.split(f"# {path}\n", 1)[1].split("\n# ")[0].split("\n## ")[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in section
            words = (parameter.help or "").replace("\b", "").split()
            assert escape(words[0]) in section, f"the help of {parameter.opts[0]}"


def test_characters_of_markdown_stay_characters() -> None:
    assert escape("a|b <c> *d* `e` f_g") == r"a\|b \<c\> \*d\* \`e\` f\_g"


def test_pages_are_made_without_tensorflow() -> None:
    script = (
        "import sys; from website import commands, python_names, settings; commands.describe_commands(); "
        "settings.describe_settings(); python_names.describe_python(); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
