"""One way to draw a plot as SVG text: small, so that it can be read on a phone, the same for the same input."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from handnet.data.plain_names import draw_plain_names

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
_STYLE: Any = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    # Outlines, not font names: the page looks the same everywhere.
    "svg.fonttype": "path",
    "svg.hashsalt": "handnet",
    "mathtext.default": "regular",
    # A dollar sign in a data set's text must not start a formula.
    "text.parse_math": False,
}


def draw_svg(draw: Callable[..., None], width_in: float = 4.2, height_in: float = 3.2, columns: int = 1) -> str:
    """Return what `draw` puts on an axes as SVG text, the same for the same input.

    Args:
        draw: called with the axes, from left to right.
        width_in: inches, of 72 units each.
        height_in: inches.
        columns: axes next to each other.
    """
    with mpl.rc_context(_STYLE), draw_plain_names():
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        draw(*figure.subplots(1, columns, squeeze=False)[0])
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue().decode("utf-8")
