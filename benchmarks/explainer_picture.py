"""The pictures of docs/explainers: SVG for a phone's width that follows the reader's light or dark theme. Imported, not run."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images" / "explainers"
# Units of the drawing: a phone shows it at about this many pixels, so that no text is smaller there than it says here.
WIDTH = 400
# Ten colours for ten people, of middle lightness, so that they show on white and on black.
PEOPLE = (
    *("#4477cc", "#e07b39", "#2f9e6e", "#c94f7c", "#8c6bd1"),
    *("#b39b1d", "#1ca3b8", "#d14b3d", "#7a8b99", "#a0693f"),
)
_STYLE = """
.ground { fill: #ffffff } .panel { fill: #f4f5f6 } .ring, .grid { stroke: #c9ccd0; fill: none }
text { fill: #1c1c1c; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
.small { font-size: 11px } .soft { fill: #5d5d5d } .title { font-weight: 600; font-size: 13px }
.end { text-anchor: end } .middle { text-anchor: middle }
.blue { fill: #0072b2 } .orange { fill: #c4540a } .green { fill: #00704f } .grey { fill: #8a8d91 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round } .thin { stroke-width: 1 } .dash { stroke-dasharray: 4 3 }
.line.blue { stroke: #0072b2 } .line.orange { stroke: #c4540a } .line.green { stroke: #00704f } .line.grey { stroke: #8a8d91 }
.line.blue, .line.orange, .line.green, .line.grey { fill: none }
.wash { opacity: .18 } .weak { opacity: .16 } .middling { opacity: .4 } .strong { opacity: .9 }
@media (prefers-color-scheme: dark) {
.ground { fill: #16181a } .panel { fill: #202326 } .ring, .grid { stroke: #4a4e53 }
text { fill: #e8e8e6 } .soft { fill: #a5a7aa }
.blue { fill: #5eb3ea } .orange { fill: #f08a4b } .green { fill: #3ac292 } .grey { fill: #8f9397 }
.line.blue { stroke: #5eb3ea } .line.orange { stroke: #f08a4b } .line.green { stroke: #3ac292 } .line.grey { stroke: #8f9397 }
}
"""


class Picture:
    """An SVG picture that is written piece by piece.

    Args:
        height: units; the width is WIDTH.
        words: what it shows, for those who cannot see it.
    """

    def __init__(self, height: float, words: str):
        self._size = (WIDTH, height)
        self._words = words
        self._parts: list[str] = []

    def add(self, tag: str, text: str | None = None, inside: str = "", **attributes: object) -> None:
        """Add an element; `class_` and `stroke_width` stand for class and stroke-width, text is escaped, `inside` is not."""
        written = "".join(
            f' {name.rstrip("_").replace("_", "-")}="{escape(_write(value))}"' for name, value in attributes.items()
        )
        content = inside + ("" if text is None else escape(text))
        self._parts.append(f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>")

    def write(self, x: float, y: float, text: str, class_: str = "") -> None:
        """Add text whose base line begins at a point."""
        self.add("text", text, x=x, y=y, class_=class_)

    def draw(self, xs: Sequence[float], ys: Sequence[float], class_: str) -> None:
        """Add a line through points."""
        points = " ".join(f"{_write(x)},{_write(y)}" for x, y in zip(xs, ys, strict=True))
        self.add("polyline", points=points, class_=f"line {class_}")

    def fill(self, xs: Sequence[float], ys: Sequence[float], class_: str) -> None:
        """Add a filled shape."""
        points = " ".join(f"{_write(x)},{_write(y)}" for x, y in zip(xs, ys, strict=True))
        self.add("polygon", points=points, class_=class_)

    def save(self, name: str) -> Path:
        """Write the picture into docs/images/explainers and return its path."""
        width, height = self._size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_write(height)}" role="img">'
        title = f"<title>{escape(self._words)}</title>"
        ground = f'<rect class="ground" width="{width}" height="{_write(height)}" rx="8"/>'
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "\n".join([head, title, f"<style>{_STYLE}</style>", ground, *self._parts, "</svg>", ""]), "utf-8"
        )
        print(f"wrote {path.relative_to(FOLDER.parents[2])}, {path.stat().st_size / 1000:.0f} kB")
        return path


def place(value: float, ends: tuple[float, float], low: float, high: float) -> float:
    """Return where a value of an axis that runs from low to high lies between two ends of the drawing."""
    return ends[0] + (value - low) / (high - low) * (ends[1] - ends[0])


def _write(value: object) -> str:
    if isinstance(value, str | int):
        return str(value)
    return f"{float(str(value)):.1f}".rstrip("0").rstrip(".")
