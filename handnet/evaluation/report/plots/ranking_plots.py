"""Plots of who is found: recall at each rank, one figure in several rows, and the map of people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from handnet.evaluation.report.plots.svg import BLUE, GREEN, GREY, ORANGE, draw_svg

_DIRECTION_COLOURS = {"dorsal_to_palmar": BLUE, "palmar_to_dorsal": ORANGE}
_DIRECTION_NAMES = {"dorsal_to_palmar": "dorsal → palmar", "palmar_to_dorsal": "palmar → dorsal"}


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
