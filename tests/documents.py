"""What the documents show the reader: blocks, inline code, commands, options, settings, links and anchors."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(path for folder in ("benchmarks", "docs", "tests") for path in (ROOT / folder).rglob("*.md")),
]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
SERVING = sorted(path for path in (ROOT / "serving").iterdir() if path.is_file())
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# "# Command:  handnet …" or "#   handnet …"; two spaces end the command.
_COMMENTED = re.compile(r"^#(?: [A-Z][\w -]*:)? +((?:handnet|python benchmarks/).*?)(?:  |$)", re.MULTILINE)

# "pairs.txt" is a file, not a setting.
_SUFFIXES = {"csv", "html", "json", "toml", "txt"}


class Command(NamedTuple):
    """A command that a document shows.

    Attributes:
        words: "handnet" or the script, then the arguments.
        complete: whether a reader types it as it stands; inline code may leave out arguments.
    """

    words: list[str]
    complete: bool


def find_blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in _FENCE.findall(text) if language in languages]


def find_inline_code(text: str) -> list[str]:
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _FENCE.sub("", text))]


def find_commands(path: Path) -> list[Command]:
    """Return the commands of handnet and of its benchmarks that a document, a header or a comment shows."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        return [Command(shlex.split(line), True) for line in _COMMENTED.findall(text)]
    lines = [line for block in find_blocks(text, "console", "sh") for line in block.replace("\\\n", " ").splitlines()]
    typed = [Command(shlex.split(line, comments=True), True) for line in lines]
    inline = [Command(code.split(), False) for code in find_inline_code(text)]
    return [command for command in typed + inline if _is_ours(command.words)]


def find_options(text: str) -> set[str]:
    """Return the options that are shown without their command, as `--crop hand` is."""
    inline = [code for code in find_inline_code(text) if code.startswith("--")]
    return {option for code in inline for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)}


def find_settings(text: str, sections: set[str]) -> set[str]:
    """Return each `section.key` that is shown, in inline code or after --set."""
    shown = re.findall(r"--set[ =]([a-z_]+\.\w+)", text)
    for code in find_inline_code(text):
        shown += re.findall(r"^(?:\[)?([a-z_]+\.[a-z]\w*)", code)
    names = (setting.split(".") for setting in shown)
    return {f"{section}.{key}" for section, key in names if section in sections and key not in _SUFFIXES}


def find_links(text: str) -> list[str]:
    """Return the targets of all links and pictures but those to other sites."""
    return re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", _FENCE.sub("", text))


def find_anchors(text: str) -> set[str]:
    """Return the anchors of all headings, by GitHub's rule."""
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in anchors:
            number += 1
        anchors.add(anchor)
    return anchors


def find_broken_links(document: Path) -> Iterator[str]:
    """Yield the links whose file or heading does not exist."""
    for link in find_links(document.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in find_anchors(target.read_text(encoding="utf-8"))):
            yield link


def _is_ours(words: list[str]) -> bool:
    return len(words) > 1 and (
        words[0] in ("handnet", "bin/handnet") or (words[0] == "python" and words[1].startswith("benchmarks/"))
    )
