"""Links between documents: in the repository they lead to files, in the site to pages."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
_FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")


def find_source(uri: str, outside: Mapping[str, str]) -> Path:
    """Return the file of the repository that a page of the site is made from.

    Args:
        uri: address of the page in the site, e.g. "measurements/speed.md".
        outside: of pages that are not in docs/, address → file.
    """
    return ROOT / outside.get(uri, DOCS + uri)


def move_links(markdown: str, source: Path, uri: str, outside: Mapping[str, str]) -> str:
    """Return a page whose links to documents and pictures lead to their addresses in the site.

    Args:
        markdown: the page as it is in the repository.
        source: its file.
        uri: its address in the site.
        outside: of pages that are not in docs/, address → file.

    Raises:
        ValueError: a link to a file of the repository that is not on the site.
    """
    addresses = {name: page for page, name in outside.items()}

    def move(match: re.Match[str]) -> str:
        name = os.path.relpath(source.parent / match[1], ROOT).replace(os.sep, "/")
        if name in addresses:
            target = addresses[name]
        elif name.startswith(DOCS):
            target = name.removeprefix(DOCS)
        else:
            raise ValueError(f"{source.relative_to(ROOT)} links to {name}, which is not on the site.")
        # A notebook is shown as a page.
        target = re.sub(r"\.ipynb$", ".md", target)
        return "](" + os.path.relpath(target, os.path.dirname(uri) or ".").replace(os.sep, "/")

    parts = _FENCE.split(markdown)
    # Every second part is a block of code.
    return "".join(part if number % 2 else _LINK.sub(move, part) for number, part in enumerate(parts))
