"""The pages of a report, filled in from templates by Jinja: every text from data is escaped."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from handnet.evaluation.report.terms import TERMS
from handnet.evaluation.report.thumbnails import read_thumbnail

# A value, and small print under it: lines separated by newlines.
Cell = tuple[str, str]


class Table(NamedTuple):
    """A table.

    Attributes:
        headings: of the columns.
        rows: a cell for each column.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Plot(NamedTuple):
    """A plot.

    Attributes:
        svg: SVG text.
        caption: what it shows, which is its alternative text as well.
        chart: the same as numbers, from `plots.charts`, which the page's script draws in place of the image; or None.
    """

    svg: str
    caption: str
    chart: Mapping[str, Any] | None = None


class Thumbnail(NamedTuple):
    """A small copy of a photo.

    Attributes:
        path: of the photo, "" where unknown.
        kind: "query", "right" or "wrong": the colour of the frame.
        caption: lines separated by newlines.
    """

    path: str
    kind: str
    caption: str


def render(template: str, **context: object) -> bytes:
    """Fill in a template.

    Args:
        template: its name in the folder templates.
        context: what it names; what is missing is an error.

    Returns:
        The page in UTF-8; what UTF-8 cannot hold, e.g. half of a surrogate pair in a file name, becomes "?".
    """
    environment = _load_environment()
    script = (files("handnet.evaluation.report") / "templates" / "page.js").read_text(encoding="utf-8")
    # The page's policy lets only this script run.
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    page = {"terms": TERMS, "script": Markup(script), "script_digest": f"sha256-{digest}"}
    # A photo that stands in several places is read once, and not kept when the page is done.
    environment.filters["read_thumbnail"] = cache(read_thumbnail)
    return environment.get_template(template).render({**page, **context}).encode("utf-8", "replace")


def open_templates(package: str, escape: Callable[[object], object] | None = None) -> Environment:
    """Open the templates of a package: what a template names and is not given is an error.

    Args:
        package: its folder "templates" holds them.
        escape: what makes a value fit for the format that is written; None is for HTML.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=escape is None,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment


def encode_svg(svg: str) -> str:
    """Return a plot as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8")).decode("ascii")


@cache
def _load_environment() -> Environment:
    environment = open_templates("handnet.evaluation.report")
    environment.filters |= {"data_address": encode_svg, "read_thumbnail": read_thumbnail}
    return environment
