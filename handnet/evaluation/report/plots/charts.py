"""Plots as plain numbers, which the script of a page draws: they show their values on hover and can be zoomed into.

A chart is a mapping fit for JSON: `x` and `y` axes ({label, min, max}, and as it may be `log`; `deviate`, where the values are
normal deviates of shares; `ticks`, where these are not round numbers), and `series`, each with `name`, `colour` ("me", "bad",
"good", "pink", "sky", "soft"), `x`, `y`, and as it may be: `low` and `high` (a band), `step`, `fill`, `dash`, `points` (no line),
`labels` (of the points), `ends` (the other ends of segments), `tick` (short lines in place of dots); `marks` are labelled
vertical lines. Where there are `rows`, the names of rows from the top, the y of a point is the number of its row, and `low` and
`high` lie along x.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from handnet.metrics.figures import DIRECTION_NAMES

Chart = dict[str, Any]
_COLOURS = {"dorsal_to_palmar": "me", "palmar_to_dorsal": "bad"}
_MOST_POINTS = 400
THRESHOLD_NAMES = {"equal_error": "equal errors", "best_f1": "best F1"}
# Error rates that are marked on normal deviate scales.
DET_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)


def chart_cmc(directions: Mapping[str, Mapping[str, Any]]) -> Chart:
    """Return the chart of recall at each rank with its interval band, and chance; see `ranking_plots.plot_cmc`."""
    series = []
    for direction, figures in directions.items():
        low, high = np.array(figures["cmc_interval"]).T * 100
        ranks, values = np.arange(1, len(low) + 1), np.array(figures["cmc"]) * 100
        name = DIRECTION_NAMES[direction]
        series.append(_line(name, _COLOURS[direction], ranks, values) | {"low": _round(low), "high": _round(high)})
    longest = max((figures["chance"]["cmc"] for figures in directions.values()), key=len)
    series.append(_line("chance", "soft", np.arange(1, len(longest) + 1), np.array(longest) * 100) | {"dash": True})
    x = {"label": "found among the first …", "min": 1, "max": max(len(longest), 2)}
    return {"x": x, "y": {"label": "searches, %", "min": 0, "max": 100}, "series": series, "marks": []}


def chart_histogram(histogram: Mapping[str, Sequence[float]], thresholds: Mapping[str, float]) -> Chart:
    """Return the chart of how similar pairs are; see `verification_plots.plot_histogram`."""
    edges, series, top = np.array(histogram["edges"]), list[Chart](), 0.0
    used = np.flatnonzero(np.array(histogram["genuine"]) + np.array(histogram["impostor"]))
    for kind, name, colour in (("impostor", "different people", "bad"), ("genuine", "same person", "me")):
        counts = np.array(histogram[kind], dtype=float)
        share = 100 * counts / counts.sum()
        top = max(top, float(share.max()))
        # A step from each edge to the next.
        series.append(_line(name, colour, edges, np.append(share, share[-1])) | {"step": True, "fill": True})
    x = {"label": "similarity", "min": float(edges[used[0]]), "max": float(edges[used[-1] + 1])}
    y = {"label": "pairs, %", "min": 0, "max": 1.1 * top}
    return {"x": x, "y": y, "series": series, "marks": _mark(thresholds)}


def chart_errors(histogram: Mapping[str, Sequence[float]], thresholds: Mapping[str, float]) -> Chart:
    """Return the chart of both error rates at each threshold, exact at the edges of the histogram's bins."""
    edges, false_accepts, false_rejects = count_errors(histogram)
    used = np.flatnonzero((false_accepts < 100) & (false_accepts > 0) | (false_rejects < 100) & (false_rejects > 0))
    first, last = max(used[0] - 1, 0) if len(used) else 0, min(used[-1] + 1, len(edges) - 1) if len(used) else -1
    series = [
        _line("different people accepted", "bad", edges, false_accepts),
        _line("same person rejected", "me", edges, false_rejects),
    ]
    x = {"label": "threshold", "min": float(edges[first]), "max": float(edges[last])}
    return {"x": x, "y": {"label": "pairs, %", "min": 0, "max": 100}, "series": series, "marks": _mark(thresholds)}


def count_errors(
    histogram: Mapping[str, Sequence[float]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return thresholds, and the per cent of false accepts and false rejects at each, from the counts of a histogram."""
    genuine, impostor = (np.append(0, np.cumsum(np.array(histogram[kind], float))) for kind in ("genuine", "impostor"))
    edges = np.array(histogram["edges"])
    return edges, 100 * (1 - impostor / impostor[-1]), 100 * genuine / genuine[-1]


def chart_roc(curve: Mapping[str, Sequence[float]], smallest_rate: float) -> Chart:
    """Return the chart of the ROC curve over a logarithmic axis; see `verification_plots.plot_roc`."""
    false, true = np.array(curve["false_accept"]) * 100, np.array(curve["true_accept"]) * 100
    kept = false >= smallest_rate * 100
    grid = np.geomspace(smallest_rate, 1, 40) * 100
    series = [
        _line("this model", "me", *_thin(false[kept], true[kept])),
        _line("chance", "soft", grid, grid) | {"dash": True},
    ]
    x = {"label": "different people accepted, %", "min": smallest_rate * 100, "max": 100, "log": True}
    return {"x": x, "y": {"label": "same person accepted, %", "min": 0, "max": 100}, "series": series, "marks": []}


def chart_det(curve: Mapping[str, Sequence[float]], smallest_rate: float) -> Chart:
    """Return the chart of both error rates on normal deviate scales; see `verification_plots.plot_det`."""
    false, missed = np.array(curve["false_accept"]), 1 - np.array(curve["true_accept"])
    kept = (false >= smallest_rate) & (false < 1) & (missed > 0) & (missed < 1)
    ends = ndtri([max(smallest_rate, 1e-4), 0.95])
    bounds = ndtri([0.005, 0.995])
    equal = np.array([max(ends[0], bounds[0]), ends[1]])
    series = [
        _line("this model", "me", *_thin(ndtri(false[kept]), ndtri(missed[kept]))),
        _line("chance", "soft", ends, -ends) | {"dash": True},
        _line("equal errors", "soft", equal, equal),
    ]
    ticks = _round(ndtri(DET_TICKS))
    x = {"label": "different people accepted, %", "min": float(ends[0]), "max": float(ends[1])}
    y = {"label": "same person rejected, %", "min": float(bounds[0]), "max": float(bounds[1])}
    scale = {"deviate": True, "ticks": ticks}
    return {"x": x | scale, "y": y | scale, "series": series, "marks": []}


def chart_systems(systems: Mapping[str, Mapping[str, Any]]) -> Chart:
    """Return the chart of the ROC curves of several systems; see `pair_plots.plot_roc_curves`."""
    series = []
    for colour, (name, figures) in zip(
        itertools.cycle(("me", "bad", "good", "pink", "sky")), systems.items(), strict=False
    ):
        curve = figures["curve"]
        points = _thin(100 * np.array(curve["false_accept"]), 100 * np.array(curve["true_accept"]))
        series.append(_line(f"{name}, AUC {figures['auc']:.3f}", colour, *points))
    ends = np.array([0.0, 100.0])
    series.append(_line("chance", "soft", ends, ends) | {"dash": True})
    axis = {"min": 0, "max": 100}
    x, y = {"label": "two people accepted, %", **axis}, {"label": "one person accepted, %", **axis}
    return {"x": x, "y": y, "series": series, "marks": []}


def chart_scores(
    scores: npt.NDArray[np.floating], same: npt.NDArray[np.bool_], threshold: float | None, num_bins: int = 30
) -> Chart:
    """Return the chart of how the scores of either kind of pair lie; see `pair_plots.plot_scores`."""
    edges = np.linspace(float(scores.min()), float(scores.max()) + 1e-6, num_bins + 1)
    series, top = list[Chart](), 0.0
    for kind, name, colour in ((~same, "two people", "bad"), (same, "one person", "me")):
        share = 100 * np.histogram(scores[kind], edges)[0] / max(kind.sum(), 1)
        top = max(top, float(share.max()))
        series.append(_line(name, colour, edges, np.append(share, share[-1])) | {"step": True, "fill": True})
    x, y = (
        {"label": "score", "min": float(edges[0]), "max": float(edges[-1])},
        {"label": "pairs, %", "min": 0, "max": 1.1 * top},
    )
    marks = [] if threshold is None else [{"x": round(threshold, 4), "label": "threshold"}]
    return {"x": x, "y": y, "series": series, "marks": marks}


def chart_reliability(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Return the chart of stated probabilities against how often they were right; see `verification_plots.plot_reliability`."""
    stated, found = np.array([(row["probability"], row["fraction"]) for row in rows]).T * 100
    low, high = np.array([row["interval"] for row in rows]).T * 100
    ends = np.array([0.0, 100.0])
    series = [
        _line("perfect", "soft", ends, ends) | {"dash": True},
        _line("found", "me", stated, found) | {"low": _round(low), "high": _round(high), "points": True},
    ]
    axis = {"min": 0, "max": 100}
    return {
        "x": {"label": "stated probability, %", **axis},
        "y": {"label": "one person's, %", **axis},
        "series": series,
        "marks": [],
    }


def chart_map(
    people: Sequence[str],
    dorsal: npt.NDArray[np.floating],
    palmar: npt.NDArray[np.floating],
    found: npt.NDArray[np.bool_],
) -> Chart:
    """Return the chart of the map of people, a segment for each; see `ranking_plots.plot_map`."""
    series = []
    for right, name, colour in ((True, "found first", "good"), (False, "not found first", "bad")):
        rows = np.flatnonzero(found == right).tolist()
        line = _line(name, colour, dorsal[rows, 0], dorsal[rows, 1]) | {"points": True}
        ends = [[round(float(value), 2) for value in palmar[row]] for row in rows]
        series.append(line | {"ends": ends, "labels": [str(people[row]) for row in rows]})
    points = np.concatenate([dorsal, palmar])
    (left, bottom), (right_end, top) = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * max(float(right_end - left), float(top - bottom), 1e-6)
    x = {"label": "", "min": float(left) - margin, "max": float(right_end) + margin}
    y = {"label": "", "min": float(bottom) - margin, "max": float(top) + margin}
    return {"x": x, "y": y, "series": series, "marks": [], "bare": True}


def _line(name: str, colour: str, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Chart:
    return {"name": name, "colour": colour, "x": _round(x), "y": _round(y)}


def _mark(thresholds: Mapping[str, float]) -> list[Chart]:
    return [{"x": round(value, 4), "label": THRESHOLD_NAMES.get(name, name)} for name, value in thresholds.items()]


def _round(values: npt.NDArray[Any]) -> list[float]:
    # More digits than a screen has pixels would make a page of megabytes.
    return [float(f"{value:.5g}") for value in values]


def _thin(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if len(x) <= _MOST_POINTS:
        return x, y
    kept = np.unique(np.round(np.linspace(0, len(x) - 1, _MOST_POINTS)).astype(int))
    return x[kept], y[kept]
