"""The plot of compared runs: their figures, and the paired differences from the first run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from handnet.evaluation.report.plots.svg import BLUE, GREEN, GREY, ORANGE, draw_svg
from handnet.metrics.figures import list_means

# Of a run's name in a picture, characters.
_LONGEST_NAME = 32


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


def _shorten(name: str) -> str:
    # The end of a folder's path tells runs apart, not its beginning.
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
