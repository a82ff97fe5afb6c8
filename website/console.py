"""Blocks of commands, whose comments move above the commands where the lines are too long for a page of the site."""

import re

# What fits beside the two menus, in letters of a block.
MAX_LETTERS = 84
# The highlighter takes a block "console" for what a terminal printed where its lines have no prompt, and shows it in grey.
_LANGUAGES = {"console": "sh", "sh": "sh", "python": "python"}
_BLOCK = re.compile(r"^```(console|sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def move_comments(markdown: str) -> str:
    """Return a page in which the comments of long blocks stand above their lines; all blocks of commands are of one kind."""
    return _BLOCK.sub(lambda match: f"```{_LANGUAGES[match[1]]}\n{_shorten(match[2])}```", markdown)


def _shorten(block: str) -> str:
    lines = block.splitlines()
    if max(map(len, lines), default=0) <= MAX_LETTERS:
        return block
    moved = []
    for line in lines:
        command, mark, comment = line.partition("  # ")
        indent = " " * (len(line) - len(line.lstrip()))
        moved += [f"{indent}# {comment}", command.rstrip()] if mark and command.strip() else [line]
    return "\n".join(moved) + "\n"
