"""What the documents, the headers of the configs and the comments of serving/ name exists: commands, options, settings, files,
links and anchors. Nothing is run; tests/test_readme.py runs the ```sh blocks."""

import ast
import configparser
import dataclasses
import importlib
import re
import typing
from pathlib import Path

import click
import pytest

from handnet.cli.main import cli
from handnet.config.settings import Config
from tests.documents import (
    CONFIGS,
    DOCUMENTS,
    ROOT,
    SERVING,
    Command,
    find_anchors,
    find_blocks,
    find_broken_links,
    find_commands,
    find_options,
    find_settings,
)
from tests.test_imports import FOLDERS

SECTIONS = {
    field.name: {key.name for key in dataclasses.fields(typing.get_type_hints(Config)[field.name])}
    for field in dataclasses.fields(Config)
}
BENCHMARKS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py")}
SOURCES = sorted(path for folder in ("benchmarks", "handnet", "tests") for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def check_command(command: Command) -> None:
    """Parse a command without running it: of a complete one all arguments, of another what is there.

    Raises:
        click.ClickException: there is no such command, option or value, or an argument is missing.
    """
    program, *left = command.words
    if program == "python":
        script = left[0].removeprefix("benchmarks/")
        if script not in BENCHMARKS:
            raise click.UsageError(f"no script benchmarks/{script}")
        known = set(re.findall(r'"(--[a-z-]+)"', BENCHMARKS[script]))
        if unknown := [word for word in left[1:] if word.startswith("--") and word not in known]:
            raise click.UsageError(f"benchmarks/{script} has no {', '.join(unknown)}")
        return
    parsed: click.Command = cli
    context = click.Context(cli, info_name="handnet")
    while isinstance(parsed, click.Group):
        if not left or (not command.complete and left[0].isupper()):
            if command.complete:
                raise click.UsageError("no command")
            return
        word = left.pop(0)
        if word not in parsed.commands:
            raise click.UsageError(f"no command {word!r}")
        parsed = parsed.commands[word]
        if isinstance(parsed, click.Group):
            context = click.Context(parsed, info_name=word, parent=context)
    try:
        parsed.make_context(parsed.name, left, parent=context)
    except click.MissingParameter:
        if command.complete:
            raise


def list_options(command: click.Command) -> set[str]:
    if isinstance(command, click.Group):
        return set().union(*(list_options(inner) for inner in command.commands.values()))
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("path", [*DOCUMENTS, *CONFIGS, *SERVING], ids=name)
def test_commands_exist_with_their_options(path: Path) -> None:
    wrong = []
    for command in find_commands(path):
        try:
            check_command(command)
        except click.ClickException as error:
            wrong.append(f"{' '.join(command.words)}: {error.format_message()}")
    assert not wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_options_that_are_shown_alone_exist(path: Path) -> None:
    of_benchmarks = {option for text in BENCHMARKS.values() for option in re.findall(r'"(--[a-z-]+)"', text)}
    known = list_options(cli) | of_benchmarks | {"--help"}
    assert not find_options(path.read_text(encoding="utf-8")) - known


@pytest.mark.parametrize("path", [*DOCUMENTS, *CONFIGS], ids=name)
def test_settings_exist(path: Path) -> None:
    shown = find_settings(path.read_text(encoding="utf-8"), set(SECTIONS))
    assert not {setting for setting in shown if setting.split(".")[1] not in SECTIONS[setting.split(".")[0]]}


@pytest.mark.parametrize("path", [*DOCUMENTS, *CONFIGS, *SERVING], ids=name)
def test_files_of_the_repository_exist(path: Path) -> None:
    # The targets of links start at the document, and another test follows them.
    text = re.sub(r"\]\([^)]*\)", "]", path.read_text(encoding="utf-8"))
    named = re.findall(r"(?<![\w./-])(?:benchmarks|bin|configs|docs|handnet|serving|tests)/[\w./-]*[\w/]", text)
    assert not [file for file in named if not (ROOT / file).exists()]


def test_documents_that_the_code_names_exist() -> None:
    named = {
        (name(path), file) for path in SOURCES for file in re.findall(r"(?<!\w)docs/[\w/-]+\.md", path.read_text())
    }
    assert named, "some code names a document"
    assert not [(path, file) for path, file in named if not (ROOT / file).exists()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    assert not list(find_broken_links(path))


def test_the_architecture_lists_the_folders_in_the_order_of_the_imports() -> None:
    listed = re.findall(r"^\| `(\w+)/` \|", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [folder for folder in FOLDERS if (ROOT / "handnet" / folder).is_dir()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_extras_exist(path: Path) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"'(?:\.|handnet)\[([\w,]+)\]'", text) + re.findall(r"bin/setup ([a-z][\w,]*)`", text)
    assert not {extra for group in named for extra in group.split(",")} - set(setup["options.extras_require"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_document_can_be_reached_from_the_readme(path: Path) -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text(encoding="utf-8"))
        waiting += [(document.parent / link).resolve() for link in links]
    assert path in reached or ROOT / "tests" in path.parents


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if ROOT / "docs" in path.parents], ids=name)
def test_every_page_of_docs_is_in_the_menu_of_the_site(path: Path) -> None:
    listed = re.findall(r"^ +- (?:[\w ]+: )?(\S+(?:\.md|/))$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    page = path.relative_to(ROOT / "docs").as_posix()
    assert page in listed or page.rpartition("/")[0] + "/" in listed, f"add {page} to nav in mkdocs.yml"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_python_imports_what_exists(path: Path) -> None:
    for block in find_blocks(path.read_text(encoding="utf-8"), "python"):
        for statement in ast.parse(block).body:
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("handnet"):
                module = importlib.import_module(statement.module or "")
                assert not [alias.name for alias in statement.names if not hasattr(module, alias.name)]


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_the_header_of_a_config_shows_its_command(path: Path) -> None:
    commands = [command.words for command in find_commands(path)]
    assert any(name(path) in words for words in commands) or commands == [["handnet", "quickstart"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("handnet train --loss triplet --margin 2", "No such option"),
        ("handnet evaluate runs/first", "no command 'evaluate'"),
        ("handnet client ask --server http://a", "no command 'ask'"),
        ("handnet export runs/first", "Missing"),
        ("handnet eval runs/first runs/second", "unexpected extra argument"),
        ("handnet cv --folds many", "Invalid value"),
        ("python benchmarks/losses.py --peers PYTHON", "no --peers"),
        ("python benchmarks/loss.py", "no script"),
    ],
)
def test_what_does_not_exist_is_found(words: str, message: str) -> None:
    with pytest.raises(click.ClickException) as error:
        check_command(Command(words.split(), complete=True))
    assert message in error.value.format_message()


def test_inline_code_may_leave_out_arguments_but_not_invent_options() -> None:
    for words in ("handnet client", "handnet COMMAND --help", "handnet export", "handnet verify -i1 a.jpg"):
        check_command(Command(words.split(), complete=False))
    with pytest.raises(click.NoSuchOption):
        check_command(Command(["handnet", "export", "--formats", "onnx"], complete=False))


def test_documents_are_read_as_a_reader_reads_them(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "# Two `words`, and more\n## Again\n## Again\n```console\n# no heading\nhandnet eval runs/first  # a comment\n"
        "handnet train \\\n  --loss triplet\n```\nUse `handnet audit` or `--crop hand`, `model.arch`, `--set loss.nam=x`.\n"
        "[good](#again-1) [bad](#again-2) [no file](other.md) [other site](https://example.org/a.md)\n"
        "![picture](page.md#two-words-and-more)\n"
    )
    text = document.read_text()
    assert [(" ".join(command.words), command.complete) for command in find_commands(document)] == [
        ("handnet eval runs/first", True),
        ("handnet train --loss triplet", True),
        ("handnet audit", False),
    ]
    assert find_options(text) == {"--crop", "--set"}
    assert find_settings(text, set(SECTIONS)) == {"model.arch", "loss.nam"}
    assert find_anchors(text) == {"two-words-and-more", "again", "again-1"}
    assert list(find_broken_links(document)) == ["#again-2", "other.md"]
