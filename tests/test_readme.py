"""What the documents tell the reader to type: ```sh blocks are run as written, in order, in a copy of the repository.

```console blocks are not run, since they install, download or take long; their handnet commands must exist with their options,
and so must those in the headers of the configs.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from handnet.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


def find_blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def find_commands(document: Path) -> Iterator[list[str]]:
    """Yield the words after "handnet" of each command that the document shows."""
    if document.suffix == ".toml":
        header = document.read_text(encoding="utf-8").split("\n[")[0]
        shown = re.findall(r"\bCommand: +(.*?)(?:  |$)", header, re.MULTILINE)
    else:
        blocks = find_blocks(document, "console") + find_blocks(document, "sh")
        shown = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in shown:
        words = shlex.split(line.removeprefix("$ "), comments=True)
        while words and "=" in words[0]:
            del words[0]
        if words and words[0] in ("handnet", "bin/handnet"):
            yield words[1:]


@pytest.mark.parametrize("document", [*DOCUMENTS, *CONFIGS], ids=lambda path: path.name)
def test_every_command_that_is_shown_exists_with_its_options(document: Path) -> None:
    for words in find_commands(document):
        command, context, left = cli, click.Context(cli, info_name="handnet"), list(words)
        try:
            while isinstance(command, click.Group):
                name = left.pop(0)
                command = command.commands[name]
                if isinstance(command, click.Group):
                    context = click.Context(command, info_name=name, parent=context)
            # Parses and converts the arguments, and runs nothing.
            command.make_context(name, left, parent=context)
        except (click.ClickException, KeyError, IndexError) as error:
            pytest.fail(f"{document.name} shows: handnet {shlex.join(words)}\n{error}")


@pytest.mark.parametrize("document", CONFIGS, ids=lambda path: path.name)
def test_the_header_of_a_config_shows_the_command_of_this_config(document: Path) -> None:
    assert (
        any(f"configs/{document.name}" in words for words in find_commands(document)) or document.stem == "quickstart"
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", document.read_text(encoding="utf-8"))
    broken = [link for link in links if not (document.parent / link).exists()]
    assert not broken


def copy_repository(target: Path) -> Path:
    """Copy what git would commit, and put an environment beside it that is this interpreter under bin/setup's names."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what belongs to the repository is not known")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    programs = target / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in (("python", ""), ("handnet", " -m handnet")):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{arguments} "$@"\n')
        (programs / name).chmod(0o755)
    stamp = subprocess.run(["cksum", "setup.cfg", "pyproject.toml"], cwd=target, capture_output=True, check=True)
    (target / ".venv" / ".installed-plain").write_bytes(stamp.stdout.rstrip(b"\n"))
    return target


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if find_blocks(path, "sh")], ids=lambda path: path.name
)
def test_the_commands_of_the_document_run_as_written(document: Path, tmp_path: Path) -> None:
    copy = copy_repository(tmp_path / "handnet")
    environment = {
        **os.environ,
        "PATH": f"{copy / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(copy),
    }
    for block in find_blocks(document, "sh"):
        result = subprocess.run(
            ["sh", "-eu", "-c", block],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == 0, f"{block}\nprinted:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
