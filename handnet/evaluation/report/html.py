"""Pieces of a page that needs nothing but itself: no script, no network, every text from data escaped."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

THUMBNAIL_PX = 132
_MAX_PIXELS = 60_000_000

# Nothing may be loaded and nothing may run, whatever a file name or a table cell says.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root { color-scheme: light; --ink: #1c1c1c; --soft: #5d5d5d; --line: #dcdcdc;
  --good: #00704f; --bad: #b34700; --me: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 0 16px 48px; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 24px 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 40px 0 4px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 24px 0 6px; }
p { margin: 6px 0 10px; max-width: 75ch; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.note { border-left: 4px solid var(--bad); padding: 4px 12px; background: #fdf4ee; max-width: 80ch; }
nav a { display: inline-block; margin: 2px 14px 2px 0; padding: 4px 0; color: var(--me); }
summary { cursor: pointer; padding: 10px 0; color: var(--me); }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 10px 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.heads { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 14px 0; }
.head { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.head b { display: block; font-size: 1.6rem; line-height: 1.25; }
.head span { display: block; font-size: .85rem; color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 360px), 1fr)); gap: 18px; }
figure { margin: 0; }
figure img { width: 100%; max-width: 520px; height: auto; display: block; }
figcaption { font-size: .875rem; color: var(--soft); }
table { border-collapse: collapse; margin: 10px 0; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 5px 12px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-size: .875rem; color: var(--soft); font-weight: 600; }
th:first-child, td:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; max-width: 26rem; }
td small { display: block; color: var(--soft); font-size: .8rem; white-space: nowrap; }
td:first-child small { white-space: normal; }
.thumbs { display: flex; flex-wrap: wrap; gap: 10px; margin: 6px 0 22px; }
.pair { display: flex; gap: 10px; }
.thumb { width: 132px; font-size: .8rem; line-height: 1.3; overflow-wrap: anywhere; }
.thumb img, .thumb .gone { width: 132px; height: 102px; display: block; border: 3px solid var(--line);
  object-fit: contain; background: #f2f2f2; }
.thumb .gone { padding: 30px 4px; text-align: center; color: var(--soft); }
.thumb.query > :first-child { border-color: var(--me); }
.thumb.right > :first-child { border-color: var(--good); }
.thumb.wrong > :first-child { border-color: var(--bad); }
@media (max-width: 640px) {
  table.cards, table.cards tbody, table.cards td { display: block; width: 100%; }
  table.cards thead { display: none; }
  table.cards tr { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px 10px; padding: 10px 0;
    border-bottom: 1px solid var(--line); }
  table.cards td { text-align: left; padding: 0; border: 0; }
  table.cards td:first-child { grid-column: 1 / -1; font-weight: 600; }
  table.cards td:first-child small { font-weight: 400; }
  table.cards td:not(:first-child)::before { content: attr(data-label); display: block; font-size: .8rem;
    color: var(--soft); }
  .thumb, .thumb img, .thumb .gone { width: 109px; }
  .thumb img, .thumb .gone { height: 84px; }
  .thumb .gone { padding-top: 20px; }
  .pair { width: 100%; }
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dt { font-size: .875rem; margin-top: 6px; }
}
"""


def build_page(title: str, sections: Sequence[tuple[str, str, str]], intro: str) -> str:
    """Return a whole page.

    Args:
        title: text.
        sections: (anchor, heading, HTML) of each; those without HTML are left out.
        intro: HTML under the title.
    """
    shown = [section for section in sections if section[2]]
    links = "".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in shown)
    body = "".join(
        f'<section><h2 id="{anchor}">{escape(heading)}</h2>{html}</section>' for anchor, heading, html in shown
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta name="referrer" content="no-referrer">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{intro}<nav>{links}</nav>{body}</body></html>\n"
    )


def build_table(headings: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> str:
    """Return a table that turns into cards on a phone.

    Args:
        headings: text of each column.
        rows: cells of (value, small print under it), both text.
    """
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = []
    for row in rows:
        cells = [
            f'<td data-label="{escape(heading)}">{escape(value)}'
            + "".join(f"<small>{escape(line)}</small>" for line in _lines(small))
            + "</td>"
            for heading, (value, small) in zip(headings, row, strict=True)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="cards"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def build_facts(facts: Mapping[str, str]) -> str:
    """Return a list of names and values.

    Args:
        facts: text → text.
    """
    return (
        '<dl class="facts">' + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"
    )


def build_figure(svg: str, caption: str) -> str:
    """Return a plot as an image: what is inside an image cannot run or load anything.

    Args:
        svg: SVG text.
        caption: what it shows, which is its alternative text as well.
    """
    data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{data}"><figcaption>{text}</figcaption></figure>'


def build_details(summary: str, html: str) -> str:
    """Return what is shown when its line is clicked.

    Args:
        summary: the line, text.
        html: what it hides.
    """
    return f"<details><summary>{escape(summary)}</summary>{html}</details>"


def build_paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph, nothing where there is no text.

    Args:
        text: plain text.
        kind: "", "soft" or "note".
    """
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def build_thumbnail(path: str, kind: str, caption: str) -> str:
    """Return a small copy of a photo with a caption; a photo that cannot be read leaves a grey field.

    Args:
        path: of the photo.
        kind: "query", "right" or "wrong": the colour of the frame.
        caption: text, lines separated by newlines.
    """
    data = read_thumbnail(path)
    text = "<br>".join(escape(line) for line in caption.split("\n"))
    image = f'<img alt="{escape(caption)}" src="{data}">' if data else '<div class="gone">photo not at hand</div>'
    return f'<div class="thumb {kind}">{image}{text}</div>'


def read_thumbnail(path: str) -> str:
    """Return a photo shrunk to 132 px as a data address, "" where there is none or it cannot be decoded.

    Args:
        path: of the photo, "" where unknown.
    """
    # A name in a file of embeddings may be that of a pipe, which would never end.
    if not Path(path).is_file():
        return ""
    try:
        with Image.open(path) as photo:
            if photo.width * photo.height > _MAX_PIXELS:
                return ""
            photo.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
            small = ImageOps.exif_transpose(photo).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]
