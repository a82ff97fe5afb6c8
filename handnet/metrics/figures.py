"""Figures as people read them, the same in the terminal, the report and comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any

DIRECTION_NAMES = {"dorsal_to_palmar": "dorsal → palmar", "palmar_to_dorsal": "palmar → dorsal"}
FIGURE_NAMES = {
    "mean_rank": "mean rank",
    "median_rank": "median rank",
    "recall_at_1": "R@1 %",
    "recall_at_5": "R@5 %",
    "recall_at_10": "R@10 %",
    "mean_average_precision": "mAP %",
}


def format_figure(name: str, value: float) -> str:
    """Return a figure with its usual number of digits, without a unit.

    Args:
        name: its key, as "mean_rank"; ranks stay numbers, fractions become per cent.
        value: rank or fraction.
    """
    if name == "mean_rank":
        return f"{value:.2f}"
    if name == "median_rank":
        return f"{value:g}"
    return f"{100 * value:.1f}"


def format_interval(name: str, interval: Sequence[float] | None) -> str:
    """Return an interval as "7.1–24.6", "" where there is none.

    Args:
        name: the figure's key.
        interval: low and high.
    """
    if interval is None:
        return ""
    return "–".join(format_figure("mean_rank" if name == "median_rank" else name, value) for value in interval)


def format_percent(value: float, interval: Sequence[float] | None = None) -> str:
    """Return a fraction as "13.3 % [7.1–24.6]".

    Args:
        value: fraction.
        interval: low and high.
    """
    bounds = f" [{format_interval('fraction', interval)}]" if interval is not None else ""
    return f"{100 * value:.1f} %{bounds}"


def cell(figures: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Return a figure, and its interval and chance under it.

    Args:
        figures: `summarize_outcome`'s.
        name: the figure's key.
    """
    interval = format_interval(name, figures.get("interval", {}).get(name))
    chance = f"chance {format_figure(name, figures['chance'][name])}"
    return format_figure(name, figures[name]), "\n".join(line for line in (interval, chance) if line)
