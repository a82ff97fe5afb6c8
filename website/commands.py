"""Pages of the commands, made from what `--help` says."""

import inspect
import re

import click

from handnet.cli.main import cli

_WIDTH = 10_000


def describe_commands() -> dict[str, str]:
    """Return a page for each command of handnet, and "index", the list of them: name → Markdown."""
    root = click.Context(cli, info_name="handnet")
    pages = {name: _describe(command, name, root, level=1) for name, command in cli.commands.items()}
    rows = [
        f"| [`handnet {name}`]({name}.md) | {escape(command.get_short_help_str(_WIDTH))} |"
        for name, command in cli.commands.items()
    ]
    return {"index": "\n".join(["# Commands", "", "| command | what it does |", "|---|---|", *rows, ""]), **pages}


def _describe(command: click.Command, name: str, parent: click.Context, level: int) -> str:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=_WIDTH)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"{'#' * level} {context.command_path}", _describe_help(command.help or "")]
    if isinstance(command, click.Group):
        parts += [_describe(inner, word, context, level + 1) for word, inner in command.commands.items()]
        return "\n\n".join(parts) + "\n"
    parts.append(f"```text\n{usage}\n```")
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    # An argument without a help text is in the usage.
    rows = [f"| `{names}` | {escape(meaning)} |" for names, meaning in filter(None, records) if meaning]
    parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _describe_help(text: str) -> str:
    """Return a help text as Markdown; a paragraph that begins with \\b, whose lines stay as they are, as a block."""
    paragraphs = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            paragraphs.append("```text\n" + paragraph.removeprefix("\b").strip("\n") + "\n```")
        else:
            paragraphs.append(escape(" ".join(paragraph.split())))
    return "\n\n".join(paragraphs)


def escape(text: str) -> str:
    """Return plain text with a backslash before each character that means something in Markdown."""
    return re.sub(r"([\\`*_<>|\[\]#])", r"\\\1", text)
