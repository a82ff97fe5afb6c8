"""Plots of errors and probabilities: ROC, DET, similarities of pairs, reliability."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.special import ndtri

from handnet.evaluation.report.plots.charts import DET_TICKS, THRESHOLD_NAMES, count_errors
from handnet.evaluation.report.plots.svg import BLUE, GREY, ORANGE, draw_svg


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
    ticks = np.array(DET_TICKS)

    def draw(axes: Axes) -> None:
        false, missed = np.array(curve["false_accept"]), 1 - np.array(curve["true_accept"])
        kept = (false >= smallest_rate) & (false < 1) & (missed > 0) & (missed < 1)
        axes.plot(ndtri(false[kept]), ndtri(missed[kept]), color=BLUE)
        span = ndtri([max(smallest_rate, 1e-4), 0.99])
        axes.plot(span, -span, color=GREY, linestyle="--", label="chance")
        equal = ndtri([1e-4, 0.6])
        axes.plot(equal, equal, color=GREY, linewidth=0.8, label="equal errors")
        shown = ticks[ticks >= smallest_rate * 0.99]
        axes.set_xticks(ndtri(shown), [f"{100 * tick:g}" for tick in shown])
        axes.set_yticks(ndtri(ticks), [f"{100 * tick:g}" for tick in ticks])
        axes.tick_params(labelsize=8)
        axes.set(xlim=(span[0], ndtri(0.95)), ylim=(ndtri(0.005), ndtri(0.995)))
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
        _mark_thresholds(axes, thresholds)
        present = np.flatnonzero(used)
        axes.set(xlim=(edges[present[0]], edges[present[-1] + 1]), ylim=(0, 1.3 * top))
        axes.set(xlabel="cosine similarity", ylabel="pairs, %")
        axes.legend(loc="upper left")

    return draw_svg(draw)


def plot_errors(histogram: Mapping[str, Sequence[float]], thresholds: Mapping[str, float]) -> str:
    """Plot both error rates at each threshold, exact at the edges of the histogram's bins.

    Args:
        histogram: edges, genuine and impostor counts.
        thresholds: name → similarity, marked.
    """
    edges, false_accepts, false_rejects = count_errors(histogram)

    def draw(axes: Axes) -> None:
        axes.plot(edges, false_accepts, color=ORANGE, label="different people accepted")
        axes.plot(edges, false_rejects, color=BLUE, label="same person rejected")
        _mark_thresholds(axes, thresholds)
        used = np.flatnonzero((false_accepts < 100) & (false_rejects < 100) | (false_accepts > 0) & (false_rejects > 0))
        if len(used) > 1:
            axes.set_xlim(edges[used[0]], edges[used[-1]])
        axes.set(xlabel="threshold", ylabel="pairs, %", ylim=(0, 130))
        axes.set_yticks(range(0, 101, 20))
        axes.legend(loc="upper left")

    return draw_svg(draw)


def _mark_thresholds(axes: Axes, thresholds: Mapping[str, float]) -> None:
    for name, value in thresholds.items():
        axes.axvline(value, color=GREY, linestyle=":", linewidth=1)
        # Along its line, so that lines near each other stay apart.
        words = f" {THRESHOLD_NAMES.get(name, name)} {value:.3f}"
        label = axes.text(
            value, 0.02, words, rotation=90, ha="right", va="bottom", size=8, transform=axes.get_xaxis_transform()
        )
        # Bars and curves run behind it.
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5})


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
