"""The report's plots as SVG text: drawn small, so that they can be read on a phone."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from scipy.stats import norm

from handnet.data.plain_names import draw_plain_names
from handnet.metrics.figures import list_means

# Of a run's name in a picture, characters.
_LONGEST_NAME = 32
# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
_DIRECTION_COLOURS = {"dorsal_to_palmar": BLUE, "palmar_to_dorsal": ORANGE}
_DIRECTION_NAMES = {"dorsal_to_palmar": "dorsal → palmar", "palmar_to_dorsal": "palmar → dorsal"}
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


def plot_cmc(directions: Mapping[str, Mapping[str, Any]]) -> str:
    """Plot the recall at each rank with its interval band, and chance.

    Args:
        directions: direction → `summarize_outcome`'s figures.
    """

    def draw(axes: Axes) -> None:
        for direction, figures in directions.items():
            ranks = np.arange(1, len(figures["cmc"]) + 1)
            low, high = np.array(figures["cmc_interval"]).T * 100
            colour = _DIRECTION_COLOURS[direction]
            axes.fill_between(ranks, low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(ranks, np.array(figures["cmc"]) * 100, color=colour, label=_DIRECTION_NAMES[direction])
        chance = [figures["chance"]["cmc"] for figures in directions.values()]
        longest = max(chance, key=len)
        axes.plot(np.arange(1, len(longest) + 1), np.array(longest) * 100, color=GREY, linestyle="--", label="chance")
        axes.set(xlabel="found among the first …", ylabel="queries, %", ylim=(0, 101), xlim=(1, max(len(longest), 2)))
        axes.legend(loc="lower right")

    return draw_svg(draw)


def plot_roc(curve: Mapping[str, Sequence[float]], smallest_rate: float) -> str:
    """Plot the ROC curve over a logarithmic axis, as far as the number of people carries it.

    Args:
        curve: false_accept and true_accept.
        smallest_rate: the lowest false accept rate that can be stated.
    """

    def draw(axes: Axes) -> None:
        false, true = np.array(curve["false_accept"]) * 100, np.array(curve["true_accept"]) * 100
        axes.plot(false, true, color=BLUE, drawstyle="steps-post")
        grid = np.geomspace(smallest_rate, 1, 100) * 100
        axes.plot(grid, grid, color=GREY, linestyle="--", label="chance")
        axes.set(xscale="log", xlim=(smallest_rate * 100, 100), ylim=(0, 101))
        axes.set(xlabel="different people accepted, %", ylabel="same person accepted, %")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.legend(loc="upper left")

    return draw_svg(draw)


def plot_det(curve: Mapping[str, Sequence[float]], smallest_rate: float) -> str:
    """Plot both error rates against each other on normal deviate scales, where normal scores give a straight line.

    Args:
        curve: false_accept and true_accept.
        smallest_rate: the lowest false accept rate that can be stated.

    Reference:
        Martin et al., The DET curve in assessment of detection task performance, 1997.
    """
    ticks = np.array([0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99])

    def draw(axes: Axes) -> None:
        false, missed = np.array(curve["false_accept"]), 1 - np.array(curve["true_accept"])
        kept = (false >= smallest_rate) & (false < 1) & (missed > 0) & (missed < 1)
        axes.plot(norm.ppf(false[kept]), norm.ppf(missed[kept]), color=BLUE)
        span = norm.ppf([max(smallest_rate, 1e-4), 0.99])
        axes.plot(span, -span, color=GREY, linestyle="--", label="chance")
        equal = norm.ppf([1e-4, 0.6])
        axes.plot(equal, equal, color=GREY, linewidth=0.8, label="equal errors")
        shown = ticks[ticks >= smallest_rate * 0.99]
        axes.set_xticks(norm.ppf(shown), [f"{100 * tick:g}" for tick in shown])
        axes.set_yticks(norm.ppf(ticks), [f"{100 * tick:g}" for tick in ticks])
        axes.tick_params(labelsize=8)
        axes.set(xlim=(span[0], norm.ppf(0.95)), ylim=(norm.ppf(0.005), norm.ppf(0.995)))
        axes.set(xlabel="different people accepted, %", ylabel="same person rejected, %")
        axes.legend(loc="upper right")

    return draw_svg(draw)


def plot_histogram(histogram: Mapping[str, Sequence[float]], thresholds: Mapping[str, float]) -> str:
    """Plot how similar pairs of one person and of different people are.

    Args:
        histogram: edges, genuine and impostor counts.
        thresholds: name → similarity, marked.
    """

    def draw(axes: Axes) -> None:
        edges = np.array(histogram["edges"])
        top = 0.0
        used = np.zeros(len(edges) - 1, dtype=bool)
        for kind, colour, label in (("impostor", ORANGE, "different people"), ("genuine", BLUE, "same person")):
            counts = np.array(histogram[kind], dtype=float)
            used |= counts > 0
            share = 100 * counts / counts.sum()
            top = max(top, float(share.max()))
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(share, edges, color=colour, label=label)
        for value in thresholds.values():
            axes.axvline(value, color=GREY, linestyle=":", linewidth=1)
        present = np.flatnonzero(used)
        axes.set(xlim=(edges[present[0]], edges[present[-1] + 1]), ylim=(0, 1.3 * top))
        axes.set(xlabel="cosine similarity", ylabel="pairs, %")
        axes.legend(loc="upper left")

    return draw_svg(draw)


def plot_reliability(rows: Sequence[Mapping[str, Any]]) -> str:
    """Plot how often pairs that were given a probability were one person's, with intervals.

    Args:
        rows: `summarize_calibration`'s reliability.
    """

    def draw(axes: Axes) -> None:
        stated, found = np.array([(row["probability"], row["fraction"]) for row in rows]).T * 100
        bounds = np.array([row["interval"] for row in rows]).T * 100
        axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", label="perfect")
        axes.vlines(stated, bounds[0], bounds[1], color=BLUE, alpha=0.5)
        area = 15 + 300 * np.array([row["share"] for row in rows])
        axes.scatter(stated, found, s=area, color=BLUE, zorder=3, label="pairs (area: share)")
        axes.set(xlim=(-3, 103), ylim=(-3, 103), xlabel="stated probability, %", ylabel="one person's, %")
        axes.legend(loc="upper left")

    return draw_svg(draw)


def plot_map(dorsal: npt.NDArray[np.floating], palmar: npt.NDArray[np.floating], found: npt.NDArray[np.bool_]) -> str:
    """Plot a map of people with a line from dorsal to palmar template; where the model is right the lines are short.

    Args:
        dorsal: (P, 2) points.
        palmar: (P, 2) points.
        found: (P,) whether the palm was found first.
    """

    def draw(axes: Axes) -> None:
        for right, colour in ((False, ORANGE), (True, GREEN)):
            for start, end in zip(dorsal[found == right], palmar[found == right], strict=True):
                axes.plot(*zip(start, end, strict=True), color=colour, linewidth=0.9, alpha=0.6)
        axes.scatter(dorsal[:, 0], dorsal[:, 1], s=16, color=BLUE, label="dorsal", zorder=3)
        axes.scatter(palmar[:, 0], palmar[:, 1], s=16, facecolor="white", edgecolor=BLUE, label="palmar", zorder=3)
        axes.plot([], [], color=GREEN, label="found first")
        axes.plot([], [], color=ORANGE, label="not found first")
        axes.axis("off")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, handletextpad=0.4)

    return draw_svg(draw, 4.2, 4.6)


def plot_rows(
    labels: Sequence[str],
    values: npt.ArrayLike,
    intervals: Sequence[Sequence[float] | None],
    chance: npt.ArrayLike,
    xlabel: str,
) -> str:
    """Plot a fraction for each of several rows as a dot with its interval, and chance as a tick.

    Args:
        labels: one text a row, the first on top.
        values: (N,) fractions.
        intervals: low and high of each, None where there is none.
        chance: (N,) fractions.
        xlabel: what is plotted.
    """

    def draw(axes: Axes) -> None:
        heights = np.arange(len(labels))
        for height, interval in zip(heights, intervals, strict=True):
            if interval is not None:
                axes.plot(
                    np.array(interval) * 100,
                    [height, height],
                    color=BLUE,
                    alpha=0.5,
                    linewidth=3,
                    solid_capstyle="butt",
                )
        axes.scatter(np.asarray(values) * 100, heights, color=BLUE, zorder=3, s=28)
        axes.scatter(np.asarray(chance) * 100, heights, color=GREY, marker="|", s=90, zorder=2, label="chance")
        axes.set_yticks(heights, [label if len(label) <= 26 else label[:25] + "…" for label in labels])
        axes.set(xlabel=xlabel, ylim=(len(labels) - 0.4, -0.6))
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0)

    return draw_svg(draw, 4.2, 1.2 + 0.27 * len(labels))


def plot_differences(comparison: Mapping[str, Any]) -> str:
    """Plot every run's fractions with chance, and beside them the paired differences from the first run with 0 marked.

    Args:
        comparison: `compare_runs`' result.
    """
    figures = {key: figure for key, figure in list_means().items() if figure.unit == "fraction"}
    runs, differences = comparison["runs"], comparison["differences"]
    step = len(runs) + 0.6
    heights = {(key, k): i * step + k for i, key in enumerate(figures) for k in range(len(runs))}
    longest = max(len(str(run["name"])) for run in runs)

    def draw_bar(axes: Axes, height: float, value: float, interval: Sequence[float], colour: str) -> None:
        axes.plot(np.array(interval) * 100, [height] * 2, color=colour, alpha=0.5, linewidth=3, solid_capstyle="butt")
        axes.scatter([value * 100], [height], color=colour, zorder=3, s=28)

    def draw(values: Axes, changes: Axes) -> None:
        for (key, k), height in heights.items():
            run = runs[k]
            draw_bar(values, height, run[key], run["interval"][key], GREY if k == 0 else BLUE)
            values.scatter([run["chance"][key] * 100], [height], color=ORANGE, marker="|", s=90, zorder=2)
            if k:
                change = differences[k - 1][key]
                draw_bar(changes, height, change["difference"], change["interval"], GREEN if change["clear"] else BLUE)
        names = [f"{figures[key].label}  {_shorten(str(runs[k]['name']))}" for key, k in heights]
        values.set_yticks(list(heights.values()), names)
        values.scatter([], [], color=ORANGE, marker="|", s=90, label="chance")
        changes.axvline(0, color=GREY, linestyle="--", linewidth=1, label="no difference")
        changes.scatter([], [], color=GREEN, s=28, label="interval leaves out 0")
        changes.set_yticks([])
        for axes in (values, changes):
            axes.set_ylim(max(heights.values()) + 0.6, -0.6)
            axes.grid(visible=False, axis="y")
            axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0)
        values.set_xlim(0, 103)
        values.set_xlabel("% and 95 % interval")
        changes.set_xlabel(f"points more than {_shorten(str(runs[0]['name']))}, paired")

    width_in = 6.0 + 0.07 * min(longest, _LONGEST_NAME)
    return draw_svg(draw, width_in, 1.2 + 0.22 * (max(heights.values()) + 1), columns=2)


def _shorten(name: str) -> str:
    # The end of a folder's path tells runs apart, not its beginning.
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
