"""Tables and plots of decisions on pairs: error rates, thresholds, open set, calibration."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from handnet.evaluation.report.plots import charts, verification_plots
from handnet.evaluation.report.render import Cell, Plot, Table
from handnet.metrics.figures import DIRECTION_NAMES, format_percent

_THRESHOLDS = {"equal_error": "Equal errors", "best_f1": "Best F1"}
_RATES = {
    "false_accept_rate": "False accepts %",
    "false_reject_rate": "False rejects %",
    "f1": "F1 %",
    "accuracy": "Accuracy %",
    "balanced_accuracy": "Balanced accuracy %",
}
_COUNTS = {
    "true_accepts": "Same person, accepted",
    "false_rejects": "Same person, rejected",
    "false_accepts": "Different, accepted",
    "true_rejects": "Different, rejected",
}


def show_verification(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the section of verification shows, from the figures of `metrics.pairs.verification`."""
    interval, chance = figures["interval"], figures["chance"]
    rows: list[list[Cell]] = [
        [("AUC", ""), (format_percent(figures["auc"]), format_bounds(interval["auc"])), ("50 %", "")],
        [("Equal error rate", ""), (format_percent(figures["eer"]), format_bounds(interval["eer"])), ("50 %", "")],
    ]
    for rate, value in figures["true_accept_rate"].items():
        small = format_bounds(interval["true_accept_rate"][rate])
        name = f"Same person accepted at {100 * float(rate):g} % false accepts"
        rows.append(
            [(name, ""), (format_percent(value), small), (format_percent(chance["true_accept_rate"][rate]), "")]
        )
    # Two people carry no rate at all; the axis still needs a length.
    smallest = min(3 / figures["num_person_pairs"], 0.3)
    thresholds = {name: at["threshold"] for name, at in figures["thresholds"].items()}
    marked = " Dotted: the thresholds from validation people." if thresholds else ""
    return {
        **{name: figures[name] for name in ("num_genuine", "num_impostor", "num_person_pairs")},
        "table": Table(["Figure", "Value", "Chance"], rows),
        "refused": [
            f"False accept rate {100 * float(rate):g} % not stated: {reason}."
            for rate, reason in figures["refused"].items()
        ],
        "thresholds": _tabulate(figures["thresholds"], _RATES, _show_rate) if thresholds else None,
        "confusion": _tabulate(figures["thresholds"], _COUNTS, _show_count),
        "first_plots": [
            Plot(
                verification_plots.plot_histogram(figures["histogram"], thresholds),
                f"How similar pairs of photos are.{marked}",
                charts.chart_histogram(figures["histogram"], thresholds),
            ),
            Plot(
                verification_plots.plot_errors(figures["histogram"], thresholds),
                f"Both errors at each threshold: where one falls, the other rises.{marked}",
                charts.chart_errors(figures["histogram"], thresholds),
            ),
        ],
        "plots": [
            Plot(
                verification_plots.plot_roc(figures["curve"], smallest),
                "ROC, as far as the number of people carries it.",
                charts.chart_roc(figures["curve"], smallest),
            ),
            Plot(
                verification_plots.plot_det(figures["curve"], smallest),
                "DET: both kinds of error on normal deviate scales.",
                charts.chart_det(figures["curve"], smallest),
            ),
        ],
    }


def _tabulate(thresholds: Mapping[str, Any], columns: Mapping[str, str], show: Callable[[Any, str], Cell]) -> Table:
    """Return a row for each threshold: its name, where it lies, and what `show` makes of each column."""
    rows: list[list[Cell]] = [
        [
            (_THRESHOLDS[name], f"similarity from {at['threshold']:.3f} on"),
            *(show(at, column) for column in columns),
        ]
        for name, at in thresholds.items()
    ]
    return Table(["Threshold", *columns.values()], rows)


def _show_rate(at: Mapping[str, Any], name: str) -> Cell:
    chance = f"\nchance {100 * at['chance'][name]:.1f}" if name in at["chance"] else ""
    return f"{100 * at[name]:.1f}", format_bounds(at["interval"][name]) + chance


def _show_count(at: Mapping[str, Any], name: str) -> Cell:
    return f"{at['confusion'][name]:,}", ""


def show_open_set(directions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of missed people at each rate of false alarms, direction → figures of `metrics.open_set`."""
    rows: list[list[Cell]] = []
    refused: dict[str, str] = {}
    for direction, figures in directions.items():
        for rate, value in figures["false_negative_rate"].items():
            name = f"{DIRECTION_NAMES[direction]}, at {100 * float(rate):g} % false alarms"
            small = f"{figures['num_gallery']} of {figures['num_people']} people enrolled"
            missed = (format_percent(value), format_bounds(figures["interval"][rate]))
            rows.append([(name, small), missed, (format_percent(figures["chance"][rate]), "")])
        refused |= figures["refused"]
    lines = [f"False alarm rate {100 * float(rate):g} % not stated: {reason}." for rate, reason in refused.items()]
    return {"table": Table(["Search", "Missed", "Chance"], rows), "refused": lines}


def show_calibration(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the section of calibration shows, from the figures of `metrics.pairs.calibration`."""
    low, high = figures["interval"]["cllr"]
    isotonic = figures["isotonic"]
    second = isotonic.get("refused") or f"Cllr {isotonic['cllr']:.3f}, ECE {format_percent(isotonic['ece'])}"
    facts = {
        "Cllr": f"{figures['cllr']:.3f} [{low:.3f}–{high:.3f}]; 0 is perfect, 1 says nothing",
        "Best Cllr": f"{figures['min_cllr']:.3f}, had the calibration been fitted to these pairs themselves",
        "ECE": format_percent(figures["ece"], figures["interval"]["ece"]),
        "Isotonic": second,
        "Logistic": f"log likelihood ratio = {figures['slope']:.3f} · cosine {'+' if figures['intercept'] >= 0 else '−'} "
        f"{abs(figures['intercept']):.3f}, from {figures['num_validation_people']} validation people",
    }
    caption = "Stated probability against how often it was right; bars: 95 % interval."
    rows = figures["reliability"]
    plot = Plot(verification_plots.plot_reliability(rows), caption, charts.chart_reliability(rows))
    return {"facts": facts, "plots": [plot]}


def format_bounds(interval: Sequence[float]) -> str:
    """Return an interval of fractions in per cent."""
    return "–".join(f"{100 * value:.1f}" for value in interval)
