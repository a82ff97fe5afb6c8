"""The table of an evaluation on pairs of photos, as `handnet eval` prints it."""

from collections.abc import Mapping
from typing import Any

from handnet.errors import printable

_COLUMNS = {"auc": "AUC", "f1": "F1", "accuracy": "accuracy", "false_accept_rate": "FAR", "false_reject_rate": "FRR"}


def format_pair_metrics(metrics: Mapping[str, Any]) -> str:
    """Return the figures of `evaluate_pairs` as text, one row per system, with 95 % intervals over people.

    Args:
        metrics: what it returned.
    """
    systems = metrics["systems"]
    first = next(iter(systems.values()))
    columns = choose_columns(metrics)
    lines = [
        f"{metrics['part']}: {first['num_pairs']:,} pairs of {first['num_people']:,} people, {first['num_same']:,} of them of "
        "one person",
        *metrics["notes"],
        "",
        " " * 24 + "".join(f"{name:>22}" for name in columns.values()),
    ]
    for name, figures in systems.items():
        cells = [f"{figures[key]:.3f} [{format_bounds(figures, key)}]" for key in columns]
        lines.append(f"{name:24}" + "".join(f"{cell:>22}" for cell in cells))
    chance = [f"{first['chance'][key]:.3f}" if key in first["chance"] else "" for key in columns]
    lines.append(f"{'chance':24}" + "".join(f"{cell:>22}" for cell in chance))
    for name, figures in metrics["calibration"].items():
        lines.append(
            f"calibration of the {name}: Cllr {figures['cllr']:.3f} (chance 1), ECE {100 * figures['ece']:.1f} %"
        )
    if "confusion" in first:
        counts = first["confusion"]
        lines += [
            f"{next(iter(systems))}: of one person {counts['true_accepts']:,} accepted, {counts['false_rejects']:,} rejected; "
            f"of two people {counts['false_accepts']:,} accepted, {counts['true_rejects']:,} rejected"
        ]
    return "\n".join(printable(line) for line in lines)


def choose_columns(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures that these metrics have: without thresholds AUC alone."""
    first = next(iter(metrics["systems"].values()))
    return {key: name for key, name in _COLUMNS.items() if key in first}


def format_bounds(figures: Mapping[str, Any], name: str) -> str:
    """Return the interval of a figure of a system, with three digits."""
    low, high = figures["interval"][name]
    return f"{low:.3f}–{high:.3f}"
