"""The documentation site is built strictly, from this checkout, and needs no network."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="the site is not built: pip install -e '.[docs]'")
pytest.importorskip("material", reason="the site is not built: pip install -e '.[docs]'")

from tests.documents import ROOT
from website.hooks import fill_menu

# What a browser loads by itself when it shows a page; a link is followed by the reader.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}


class Loaded(HTMLParser):
    """Collects the addresses that a page loads, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if address := dict(attrs).get(LOADED.get(tag, "")):
            self.addresses.append(address)


def find_foreign(site: Path) -> Iterator[str]:
    for path in site.rglob("*.html"):
        yield from (f"{path.name}: {found}" for found in Loaded(path.read_text("utf-8")).addresses if "//" in found)
    for path in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import)[\"' ]*(?:https?:)?//\S+", path.read_text("utf-8"))
        yield from (f"{path.name}: {address}" for address in found)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    assert not result.stderr.strip(), "a strict build says nothing"
    return folder


@pytest.mark.slow
def test_the_site_has_a_page_for_each_document_and_loads_nothing_from_elsewhere(site: Path) -> None:
    documents = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    made = {"index", "measurements/benchmarks", "reference/settings", "reference/python", "reference/commands/train"}
    assert documents | {Path(f"{name}.html") for name in made} <= built
    assert not list(find_foreign(site))
    # What the API page says comes from the docstrings.
    assert "handnet.train" in (site / "reference/python.html").read_text("utf-8")
    assert "Evaluate a run on people it was not trained on" in (site / "reference/python.html").read_text("utf-8")


def test_what_comes_from_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="https://a.org/">a</a><img src="b.png"><script src="//cdn.org/c.js"></script>'
    )
    (tmp_path / "a.css").write_text("a { background: url(b.png) } b { background: url('https://fonts.org/c.woff') }")
    assert [found.split(": ")[1] for found in find_foreign(tmp_path)] == [
        "//cdn.org/c.js",
        "url('https://fonts.org/c.woff')",
    ]


def test_a_folder_in_the_menu_is_its_pages() -> None:
    menu = ["index.md", {"A": "a/"}, {"B": [{"C": "c/"}, "b.md"]}, {"None": "none/"}]
    uris = ["a/1.md", "a/2.md", "a/2.png", "a/below/3.md", "b.md", "c/1.md", "index.md"]
    assert fill_menu(menu, uris) == ["index.md", {"A": ["a/1.md", "a/2.md"]}, {"B": [{"C": ["c/1.md"]}, "b.md"]}]
