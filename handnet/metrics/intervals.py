"""Intervals from one bootstrap: people are drawn, with everything of theirs, and two pseudo-people with them.

Photos of one person are not independent, so people are drawn and not photos. Among those drawn from are two pseudo-people
of average size, one as good and one as bad as a person can be expected to be. Without them a figure near its bound gets an
interval that is far too narrow: where 41 of 41 people are found, every replicate is 100 %. With them simulated coverage is
near 95 % from 20 people on (docs/measurements/evaluation.md).
Every interval of the package is made of `draw_people` and `find_interval`.
"""

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError

NUM_REPLICATES = 2000
LEVEL = 0.95
_BLOCK_CELLS = 1 << 22

Array = npt.NDArray[np.float64]


def draw_people(num_people: int, num_replicates: int, seed: int) -> Array:
    """Return how often each person and each of the two pseudo-people is drawn in each bootstrap replicate.

    Args:
        num_people: P.
        num_replicates: R.
        seed: equal seeds give equal draws, so that runs on the same people can be compared in pairs.

    Returns:
        float64 (R, P + 2), rows sum to P + 2; the last two columns are the pseudo-people's.

    Raises:
        EvaluationError: fewer than two people: nothing is known of others.
    """
    if num_people < 2:
        raise EvaluationError(f"An interval over people needs at least two people. Received: {num_people}.")
    generator = np.random.default_rng(seed)
    num_units = num_people + 2
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


def shift_interval(values: Array, exact: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """Return the interval of a figure whose replicates were computed from scores in bins.

    The bins cost a little accuracy: every replicate is shifted by what they do to the figure itself.

    Args:
        values: (1 + R,) the figure from the bins, of everybody once, and its replicates.
        exact: the figure from the scores.
        low: the figure's bounds.
        high: the figure's bounds.
    """
    shifted = np.clip(values[1:] + (exact - values[0]), low, high)
    return [float(value) for value in find_interval(shifted)]


def bootstrap_means(
    values: npt.ArrayLike,
    people: npt.NDArray[np.generic],
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> Array:
    """Return bootstrap replicates of means over queries, people drawn with all of their queries.

    The queries of one pseudo-person all have the value `low`, those of the other `high`.

    Args:
        values: (Q, M) the figures of each query.
        people: (Q,) whose query it is.
        low: lowest value that a person can be expected to have, a number or (M,).
        high: highest value that a person can be expected to have, a number or (M,).
        num_replicates: R.
        seed: random seed for the draws.

    Returns:
        float64 (R, M).

    Raises:
        EvaluationError: queries of one person only: nothing is known of others.
    """
    table = np.asarray(values, dtype=np.float64)
    names, codes = np.unique(people, return_inverse=True)
    counts = np.bincount(codes).astype(np.float64)
    sums = np.zeros((len(names), table.shape[1]))
    np.add.at(sums, codes, table)
    bounds = np.broadcast_to(np.stack(np.broadcast_arrays(low, high)).reshape(2, -1), (2, table.shape[1]))
    sums = np.concatenate([sums, bounds * counts.mean()])
    counts = np.concatenate([counts, np.full(2, counts.mean())])
    weights = draw_people(len(names), num_replicates, seed)
    return np.asarray(weights @ sums / (weights @ counts)[:, None])


def bootstrap_median(
    values: npt.ArrayLike,
    people: npt.NDArray[np.generic],
    low: float,
    high: float,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> Array:
    """Return bootstrap replicates of the median over queries; people and pseudo-people as in `bootstrap_means`.

    Args:
        values: (Q,).
        people: (Q,) whose query it is.
        low: lowest value that a person can be expected to have.
        high: highest value that a person can be expected to have.
        num_replicates: R.
        seed: random seed for the draws.

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
    weights = draw_people(len(names), num_replicates, seed)
    medians = np.empty(num_replicates)
    rows = max(1, _BLOCK_CELLS // len(column))
    for start in range(0, num_replicates, rows):
        mass = np.cumsum(weights[start : start + rows, codes] * unit, axis=1)
        half = mass[:, -1:] / 2
        lower = np.argmax(mass >= half - 1e-9, axis=1)
        upper = np.argmax(mass > half + 1e-9, axis=1)
        medians[start : start + rows] = (column[lower] + column[upper]) / 2
    return medians
