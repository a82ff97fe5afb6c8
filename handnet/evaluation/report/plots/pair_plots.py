"""Plots of decisions on pairs: ROC curves of several systems, the scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from handnet.evaluation.report.plots.svg import BLUE, GREEN, GREY, ORANGE, draw_svg

_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", GREY)


def plot_roc_curves(systems: Mapping[str, Mapping[str, Any]]) -> str:
    """Plot the ROC curve of each system with its AUC.

    Args:
        systems: name → `evaluate_pair_list`'s figures.
    """

    def draw(axes: Axes) -> None:
        for k, (name, figures) in enumerate(systems.items()):
            curve = figures["curve"]
            axes.plot(
                np.array(curve["false_accept"]) * 100,
                np.array(curve["true_accept"]) * 100,
                color=_COLOURS[k % len(_COLOURS)],
                linewidth=2 if k == 0 else 1.2,
                label=f"{name}, {figures['auc']:.3f}",
            )
        axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=0.8)
        axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="two people accepted, %", ylabel="one person accepted, %")
        axes.legend(loc="lower right", title="AUC", fontsize=9)

    return draw_svg(draw, 4.4, 4.0)


def plot_scores(scores: npt.NDArray[np.floating], same: npt.NDArray[np.bool_], threshold: float | None) -> str:
    """Plot how the scores of either kind of pair lie.

    Args:
        scores: (N,).
        same: (N,).
        threshold: marked, where there is one.
    """

    def draw(axes: Axes) -> None:
        edges = np.linspace(float(scores.min()), float(scores.max()) + 1e-6, 31)
        for kind, colour, label in ((~same, ORANGE, "two people"), (same, BLUE, "one person")):
            share = np.histogram(scores[kind], edges)[0] * 100 / kind.sum()
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(share, edges, color=colour, label=label)
        if threshold is not None:
            axes.axvline(threshold, color=GREY, linestyle=":", label=f"threshold {threshold:.3f}")
        axes.set(xlabel="score", ylabel="pairs, %")
        axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
        axes.legend(loc="upper center", ncols=3)

    return draw_svg(draw)
