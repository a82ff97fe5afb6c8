"""Links of the repository become links of the site."""

from pathlib import Path

import pytest

from website.links import ROOT, find_source, move_links

OUTSIDE = {"index.md": "README.md", "measurements/benchmarks.md": "benchmarks/README.md"}


@pytest.mark.parametrize(
    ("uri", "text", "moved"),
    [
        ("index.md", "[a](docs/use.md#your-data)", "[a](use.md#your-data)"),
        ("index.md", "![a](docs/images/montage.png)", "![a](images/montage.png)"),
        ("index.md", "[a](docs/tutorial.ipynb)", "[a](tutorial.md)"),
        ("use.md", "[a](../README.md)", "[a](index.md)"),
        ("measurements/speed.md", "[a](../../benchmarks/README.md)", "[a](benchmarks.md)"),
        ("measurements/benchmarks.md", "[a](../docs/measurements/speed.md#decode)", "[a](speed.md#decode)"),
        ("use.md", "[a](https://example.org/a.md) [b](#here)", "[a](https://example.org/a.md) [b](#here)"),
        ("use.md", "```\n[a](../README.md)\n```\n", "```\n[a](../README.md)\n```\n"),
    ],
)
def test_a_link_leads_to_the_page_of_its_file(uri: str, text: str, moved: str) -> None:
    assert move_links(text, find_source(uri, OUTSIDE), uri, OUTSIDE) == moved


def test_a_link_to_a_file_that_is_not_on_the_site_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"docs/use\.md links to setup\.cfg"):
        move_links("[a](../setup.cfg)", ROOT / "docs" / "use.md", "use.md", OUTSIDE)


def test_a_page_comes_from_docs_or_from_where_it_is_listed() -> None:
    assert find_source("measurements/benchmarks.md", OUTSIDE) == ROOT / Path("benchmarks/README.md")
    assert find_source("use.md", OUTSIDE) == ROOT / "docs/use.md"
