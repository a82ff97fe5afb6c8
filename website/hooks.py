"""The site's own steps in mkdocs: pages that are made from the code, and links that lead to the same place as on GitHub.

Reference: https://www.mkdocs.org/user-guide/configuration/#hooks
"""

import re
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from website.commands import describe_commands
from website.console import move_comments
from website.links import ROOT, find_source, move_links
from website.notebook import NOTEBOOK, describe_notebook
from website.python_names import describe_python
from website.settings import describe_settings

# Documents outside docs/: page of the site → file of the repository.
OUTSIDE = {"index.md": "README.md", "measurements/benchmarks.md": "benchmarks/README.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/, and put the pages of folders into the menu."""
    for uri, content in make_pages().items():
        files.append(File.generated(config, uri, content=content))
    config.nav = fill_menu(config.nav or [], sorted(files.src_uris))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page, which are those of the repository, into links of the site; make long blocks narrower."""
    source = find_source(page.file.src_uri, OUTSIDE)
    markdown = move_comments(markdown)
    return move_links(markdown, source, page.file.src_uri, OUTSIDE) if source.exists() else markdown


def make_pages() -> dict[str, str | bytes]:
    """Return the pages that are not in docs/, and their pictures: address in the site → Markdown or bytes."""
    pages: dict[str, str | bytes] = {uri: (ROOT / name).read_text(encoding="utf-8") for uri, name in OUTSIDE.items()}
    pages |= {f"reference/commands/{name}.md": text for name, text in describe_commands().items()}
    pages["reference/settings.md"] = describe_settings()
    pages["reference/python.md"] = describe_python()
    pages |= describe_notebook(nbformat.read(NOTEBOOK, as_version=4), "tutorial.md")
    return pages


def fill_menu(entries: list[Any], uris: list[str]) -> list[Any]:
    """Return the menu with the pages of a folder in place of "folder/"; an entry without pages is left out."""
    filled = []
    for entry in entries:
        if not isinstance(entry, dict):
            filled.append(entry)
            continue
        for title, value in entry.items():
            if isinstance(value, list):
                below = fill_menu(value, uris)
            elif value.endswith("/"):
                below = [uri for uri in uris if re.fullmatch(re.escape(value) + r"[^/]+\.md", uri)]
            else:
                below = value
            if below:
                filled.append({title: below})
    return filled
