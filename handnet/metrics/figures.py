"""The figures of retrieval. One entry of FIGURES is one figure: files, tables, pages and comparisons walk it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.metrics.chance import Chance
from handnet.metrics.ranking import Ranking

DIRECTION_NAMES = {"dorsal_to_palmar": "dorsal → palmar", "palmar_to_dorsal": "palmar → dorsal"}
Array = npt.NDArray[np.float64]


class Figure(NamedTuple):
    """One figure of retrieval, from its definition to the way it is shown.

    Attributes:
        label: its name for people, without the unit.
        digits: digits after the decimal point; of a fraction those of the per cent.
        better: which way is better.
        compute: ranking → (Q,) the value of each query.
        chance: what a random ranking of the same gallery is expected to score.
        unit: "rank", from 1; or "fraction", 0 to 1, shown in per cent.
        average: over the queries. Only means are compared between runs, query by query.
        least_change: about the least by which one query can change; it keeps the interval of a difference from being empty.
    """

    label: str
    digits: int
    better: Literal["lower", "higher"]
    compute: Callable[[Ranking], npt.ArrayLike]
    chance: Callable[[Chance], float]
    unit: Literal["rank", "fraction"] = "fraction"
    average: Literal["mean", "median"] = "mean"
    least_change: float = 1.0

    @property
    def heading(self) -> str:
        """The label with its unit, for the head of a column."""
        return f"{self.label}{self.suffix}"

    @property
    def suffix(self) -> str:
        """What follows a value: " %" after a fraction, which is shown in per cent, nothing after a rank."""
        return "" if self.unit == "rank" else " %"

    def tabulate(self, ranking: Ranking) -> Array:
        """Return the value of each query, float64 (Q,)."""
        return np.asarray(self.compute(ranking), dtype=np.float64)

    def summarize(self, ranking: Ranking) -> float:
        """Return the figure itself: the mean or the median over the queries."""
        values = self.tabulate(ranking)
        return float(np.median(values) if self.average == "median" else np.mean(values))

    def bound(self, chance: Chance) -> tuple[float, float]:
        """Return the lowest and the highest value that a person can be expected to have.

        Of the worst person the system knows nothing: a rank is then that of chance, not the last one.
        """
        return (1.0, self.chance(chance)) if self.unit == "rank" else (0.0, 1.0)


def list_means() -> dict[str, Figure]:
    """Return the figures that are means over queries: the columns of comparisons, of the audit and of the model card."""
    return {key: figure for key, figure in FIGURES.items() if figure.average == "mean"}


def format_figure(key: str, value: float, signed: bool = False) -> str:
    """Return a figure with its usual number of digits, without a unit.

    Args:
        key: of FIGURES.
        value: rank or fraction; fractions become per cent. What rounds to 0 has no minus.
        signed: write the plus too, as of a difference.
    """
    figure = FIGURES[key]
    scale = 1 if figure.unit == "rank" else 100
    return f"{scale * value:{'+' if signed else ''}z.{figure.digits}f}"


def format_interval(key: str, interval: Sequence[float] | None, separator: str = "–") -> str:
    """Return an interval, e.g. "7.1–24.6", or "" where there is none.

    Args:
        key: of FIGURES.
        interval: low and high.
        separator: between the two; not a dash where they may be negative.
    """
    return separator.join(format_figure(key, value) for value in interval or ())


def format_percent(value: float, interval: Sequence[float] | None = None) -> str:
    """Return a fraction, e.g. "13.3 % [7.1–24.6]".

    Args:
        value: fraction.
        interval: low and high.
    """
    bounds = f" [{'–'.join(f'{100 * bound:.1f}' for bound in interval)}]" if interval is not None else ""
    return f"{100 * value:.1f} %{bounds}"


def cell(figures: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Return a figure, and its interval and chance under it.

    Args:
        figures: `summarize_outcome`'s.
        key: of FIGURES.
    """
    interval = format_interval(key, figures.get("interval", {}).get(key))
    chance = f"chance {format_figure(key, figures['chance'][key])}"
    return format_figure(key, figures[key]), "\n".join(line for line in (interval, chance) if line)


def _count_recall(k: int) -> Figure:
    return Figure(f"R@{k}", 1, "higher", lambda ranking: ranking.ranks <= k, lambda chance: chance.recall_at(k))


FIGURES: dict[str, Figure] = {
    "mean_rank": Figure(
        "mean rank", 2, "lower", lambda ranking: ranking.ranks, lambda chance: chance.mean_rank, unit="rank"
    ),
    "median_rank": Figure(
        "median rank",
        1,
        "lower",
        lambda ranking: ranking.ranks,
        lambda chance: chance.median_rank,
        unit="rank",
        average="median",
    ),
    "recall_at_1": _count_recall(1),
    "recall_at_5": _count_recall(5),
    "recall_at_10": _count_recall(10),
    "mean_average_precision": Figure(
        "mAP",
        1,
        "higher",
        lambda ranking: ranking.average_precisions,
        lambda chance: chance.mean_average_precision,
        least_change=0.1,
    ),
}
