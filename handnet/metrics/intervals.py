"""Intervals from a bootstrap over people, not photos: the photos of one person are not independent."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.metrics.chance import RECALL_AT, compute_chance
from handnet.metrics.protocols import Outcome
from handnet.metrics.ranking import summarize_ranking

NUM_REPLICATES = 2000
LEVEL = 0.95
CMC_LENGTH = 50
_BLOCK_CELLS = 1 << 22

Array = npt.NDArray[np.float64]


def draw_weights(num_units: int, num_replicates: int, seed: int) -> Array:
    """Return how often each unit is drawn in each bootstrap replicate.

    Args:
        num_units: U, people and pseudo-people.
        num_replicates: R.
        seed: equal seeds give equal draws, so that runs on the same people can be compared in pairs.

    Returns:
        float64 (R, U), rows sum to U.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(num_units, np.full(num_units, 1.0 / num_units), size=num_replicates).astype(np.float64)


def find_interval(replicates: Array, level: float = LEVEL) -> Array:
    """Return the percentile interval of replicates.

    Args:
        replicates: (R, …).
        level: coverage, 0..1.

    Returns:
        (2, …) low and high.
    """
    return np.asarray(np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0))


def bootstrap_means(
    values: npt.ArrayLike,
    people: npt.NDArray[np.generic],
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> Array:
    """Return bootstrap replicates of means over queries, people drawn with all of their queries.

    Two pseudo-people of average size are added to those drawn from: one whose queries all have the value `low` and one
    whose queries all have `high`. Without them a figure near its bound gets an interval that is far too narrow: where
    41 of 41 people are found, every replicate is 100 %. With them simulated coverage is near 95 % from 20 people on
    (docs/evaluation.md).

    Args:
        values: (Q, M) the figures of each query.
        people: (Q,) whose query it is.
        low: lowest value that a person can be expected to have, a number or (M,).
        high: highest value that a person can be expected to have, a number or (M,).
        num_replicates: R.
        seed: of the draws.

    Returns:
        float64 (R, M).

    Raises:
        EvaluationError: queries of one person only: nothing is known of others.
    """
    table = np.asarray(values, dtype=np.float64)
    names, codes = np.unique(people, return_inverse=True)
    if len(names) < 2:
        raise EvaluationError(f"An interval over people needs at least two people. Received: {len(names)}.")
    counts = np.bincount(codes).astype(np.float64)
    sums = np.zeros((len(names), table.shape[1]))
    np.add.at(sums, codes, table)
    bounds = np.broadcast_to(np.stack(np.broadcast_arrays(low, high)).reshape(2, -1), (2, table.shape[1]))
    sums = np.concatenate([sums, bounds * counts.mean()])
    counts = np.concatenate([counts, np.full(2, counts.mean())])
    weights = draw_weights(len(counts), num_replicates, seed)
    return np.asarray(weights @ sums / (weights @ counts)[:, None])


def bootstrap_median(
    values: npt.ArrayLike,
    people: npt.NDArray[np.generic],
    low: float,
    high: float,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> Array:
    """Return bootstrap replicates of the median over queries, as `bootstrap_means` with its pseudo-people.

    Args:
        values: (Q,).
        people: (Q,) whose query it is.
        low: lowest value that a person can be expected to have.
        high: highest value that a person can be expected to have.
        num_replicates: R.
        seed: of the draws.

    Returns:
        float64 (R,).
    """
    column = np.asarray(values, dtype=np.float64)
    names, codes = np.unique(people, return_inverse=True)
    size = len(column) / len(names)
    column = np.concatenate([column, [low, high]])
    unit = np.concatenate([np.ones(len(codes)), [size, size]])
    codes = np.concatenate([codes, [len(names), len(names) + 1]])
    order = np.argsort(column, kind="stable")
    column, unit, codes = column[order], unit[order], codes[order]
    weights = draw_weights(len(names) + 2, num_replicates, seed)
    medians = np.empty(num_replicates)
    rows = max(1, _BLOCK_CELLS // len(column))
    for start in range(0, num_replicates, rows):
        mass = np.cumsum(weights[start : start + rows, codes] * unit, axis=1)
        half = mass[:, -1:] / 2
        lower = np.argmax(mass >= half - 1e-9, axis=1)
        upper = np.argmax(mass > half + 1e-9, axis=1)
        medians[start : start + rows] = (column[lower] + column[upper]) / 2
    return medians


def summarize_outcome(outcome: Outcome, num_replicates: int = NUM_REPLICATES, seed: int = 0) -> dict[str, Any]:
    """Return the figures of an outcome, each with chance and a 95 % interval over people, and the CMC curve.

    The gallery is held as it is; what varies is who asks. Simulated test sets with new
    galleries as well vary by up to a tenth more (docs/evaluation.md).

    Args:
        outcome: queries of at least two people.
        num_replicates: bootstrap replicates.
        seed: of the bootstrap.

    Returns:
        `summarize_ranking`'s figures; num_people; "interval": name → [low, high]; "cmc", "cmc_interval" and
        "chance"."cmc": fractions at ranks 1, 2, …, at most 50.
    """
    ranking = outcome.ranking
    figures: dict[str, Any] = {"num_people": len(np.unique(outcome.people)), **summarize_ranking(ranking)}
    chance = compute_chance(ranking.num_gallery, ranking.num_relevant)
    length = int(min(CMC_LENGTH, ranking.num_gallery.max()))
    hits = ranking.ranks[:, None] <= np.arange(1, length + 1)
    recalls = np.stack([ranking.ranks <= k for k in RECALL_AT], axis=1)
    columns = np.column_stack([ranking.ranks, ranking.average_precisions, recalls, hits])
    # Of the worst person the system knows nothing: the ranks are those of chance, not the last ones.
    low, high = np.zeros(columns.shape[1]), np.ones(columns.shape[1])
    low[0], high[0] = 1.0, chance.mean_rank
    bounds = find_interval(bootstrap_means(columns, outcome.people, low, high, num_replicates, seed))
    medians = bootstrap_median(ranking.ranks, outcome.people, 1.0, chance.median_rank, num_replicates, seed)
    names = ["mean_rank", "mean_average_precision", *(f"recall_at_{k}" for k in RECALL_AT)]
    figures["interval"] = {name: bounds[:, i].tolist() for i, name in enumerate(names)}
    figures["interval"]["median_rank"] = find_interval(medians).tolist()
    figures["cmc"] = hits.mean(axis=0).tolist()
    figures["cmc_interval"] = bounds[:, len(names) :].T.tolist()
    figures["chance"]["cmc"] = chance.cmc[:length].tolist()
    return figures
