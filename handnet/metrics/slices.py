"""Who is hard to find? The figures by each attribute of the query, the worst first."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.intervals import NUM_REPLICATES
from handnet.metrics.protocols import Outcome, select_queries
from handnet.metrics.ranking_summary import summarize_outcome, summarize_ranking

MAX_VALUES = 12
FEW_PEOPLE = 5
_AGE_BANDS = (
    (0, 17, "under 18"),
    (18, 20, "18–20"),
    (21, 25, "21–25"),
    (26, 35, "26–35"),
    (36, 50, "36–50"),
    (51, 130, "over 50"),
)


def slice_outcome(
    part: EmbeddedPart, outcome: Outcome, num_replicates: int = NUM_REPLICATES // 2, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the figures of the queries that share a value, for every value of every attribute and of the side.

    The gallery stays whole: a slice says who is hard to find, not how a smaller gallery would do. Attributes with more than
    12 values (and numbers other than an age) are left out, and queries where the value is unknown.

    Args:
        part: the photos.
        outcome: queries that are single photos of the part.
        num_replicates: bootstrap replicates.
        seed: random seed for the bootstrap.

    Returns:
        Rows with attribute, value, few_people (fewer than five: one person decides, and the row stands at the end) and
        `summarize_outcome`'s figures without the curves; the lowest recall at 1 first.
    """
    rows = []
    for attribute, values in _read_attributes(part).items():
        known = values[outcome.rows]
        distinct = sorted(set(known.tolist()) - {""})
        if not 2 <= len(distinct) <= MAX_VALUES:
            continue
        for value in distinct:
            queries = select_queries(outcome, known == value)
            num_people = len(np.unique(queries.people))
            figures = (
                summarize_outcome(queries, num_replicates, seed)
                if num_people > 1
                else {"num_people": 1, **summarize_ranking(queries.ranking)}
            )
            figures = {name: figure for name, figure in figures.items() if not name.startswith("cmc")}
            figures["chance"] = {name: figure for name, figure in figures["chance"].items() if name != "cmc"}
            rows.append({"attribute": attribute, "value": value, "few_people": num_people < FEW_PEOPLE, **figures})
    return sorted(rows, key=lambda row: (row["few_people"], row["recall_at_1"], -row["mean_rank"]))


def _read_attributes(part: EmbeddedPart) -> dict[str, npt.NDArray[np.str_]]:
    names = sorted({name for row in part.attributes for name in row})
    table = {name: np.array([row.get(name, "") for row in part.attributes], dtype=np.str_) for name in names}
    table = {name: band_ages(values) if name.lower() == "age" else values for name, values in table.items()}
    return {"side": part.sides, **table}


def band_ages(ages: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """Return the band of each age, "" for what is no age.

    Args:
        ages: text of years.
    """
    return np.array([_find_band(age) for age in ages], dtype=np.str_)


def _find_band(age: str) -> str:
    try:
        years = int(float(age))
    except (ValueError, OverflowError):
        return ""
    return next((name for low, high, name in _AGE_BANDS if low <= years <= high), "")
