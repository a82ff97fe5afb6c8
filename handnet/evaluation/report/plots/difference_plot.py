"""The plot of compared runs: their figures, and the paired differences from the first run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from handnet.evaluation.report.plots.charts import Chart
from handnet.evaluation.report.plots.svg import BLUE, GREEN, GREY, ORANGE, draw_svg
from handnet.metrics.figures import Figure, format_figure, format_interval, list_means

# Of a run's name in a picture, characters.
_LONGEST_NAME = 32
# Of the runs after the first.
_COLOURS = ("me", "pink", "sky", "good")


def plot_differences(comparison: Mapping[str, Any]) -> str:
    """Plot every run's fractions with chance, and next to them the paired differences from the first run with 0 marked.

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


def chart_differences(comparison: Mapping[str, Any]) -> list[Chart]:
    """Return the same as two charts for the page's script: every run's fractions, and the paired differences.

    Args:
        comparison: `compare_runs`' result.
    """
    figures = {key: figure for key, figure in list_means().items() if figure.unit == "fraction"}
    runs, differences = comparison["runs"], comparison["differences"]
    values: list[Chart] = []
    for k, run in enumerate(runs):
        colour = "soft" if k == 0 else _COLOURS[(k - 1) % len(_COLOURS)]
        rows = [(i * len(runs) + k, run[key], run["interval"][key], key) for i, key in enumerate(figures)]
        values.append(_list_bars(_shorten(str(run["name"])), colour, rows, figures, signed=False))
    chance = [
        (i * len(runs) + k, run["chance"][key], None, key)
        for i, key in enumerate(figures)
        for k, run in enumerate(runs)
    ]
    values.append(_list_bars("chance", "bad", chance, figures, signed=False) | {"tick": True})
    changes: list[Chart] = []
    for clear, name, colour in ((True, "clear: the interval leaves out 0", "good"), (False, "not clear", "me")):
        rows = [
            (i * len(differences) + k, row[key]["difference"], row[key]["interval"], key)
            for i, key in enumerate(figures)
            for k, row in enumerate(differences)
            if row[key]["clear"] == clear
        ]
        if rows:
            changes.append(_list_bars(name, colour, rows, figures, signed=True))
    bounds = [value for series in changes for value in (*series["low"], *series["high"])]
    room = 0.08 * max(max(bounds) - min(bounds), 1.0)
    against = _shorten(str(runs[0]["name"]))
    first = {
        "x": {"label": "%, with 95 % interval", "min": 0, "max": 100},
        "rows": [f"{figure.label}, {_shorten(str(run['name']))}" for figure in figures.values() for run in runs],
        "series": values,
        "marks": [],
    }
    second = {
        "x": {"label": "points of difference, paired", "min": min(*bounds, 0) - room, "max": max(*bounds, 0) + room},
        "rows": [
            f"{figure.label}, {_shorten(str(row['name']))} minus {against}"
            for figure in figures.values()
            for row in differences
        ],
        "series": changes,
        "marks": [{"x": 0, "label": "no difference"}],
    }
    return [chart | {"y": {"label": "", "min": len(chart["rows"]) - 0.4, "max": -0.7}} for chart in (first, second)]


def _list_bars(
    name: str,
    colour: str,
    rows: Sequence[tuple[int, float, Sequence[float] | None, str]],
    figures: Mapping[str, Figure],
    signed: bool,
) -> Chart:
    """Return a series of points with bars: (row, fraction, interval, key of its figure) of each."""
    labels = [
        f"{figures[key].label} {format_figure(key, value, signed=signed)}"
        + ("" if interval is None else f" [{format_interval(key, interval, ' to ' if signed else '–')}]")
        for _, value, interval, key in rows
    ]
    series: Chart = {"name": name, "colour": colour, "points": True, "labels": labels}
    series |= {"x": [round(100 * value, 3) for _, value, _, _ in rows], "y": [row for row, *_ in rows]}
    bars = [interval for _, _, interval, _ in rows if interval is not None]
    if bars:
        series |= {end: [round(100 * bar[k], 3) for bar in bars] for k, end in enumerate(("low", "high"))}
    return series


def _shorten(name: str) -> str:
    # The end of a folder's path tells runs apart, not its beginning.
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
