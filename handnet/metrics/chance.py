"""What a ranking at random would score on a given gallery: exact expectations, nothing simulated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Chance:
    """Expected figures of a uniformly random ranking.

    Attributes:
        mean_rank: expected rank of the first correct entry.
        median_rank: median of that rank over queries and rankings.
        cmc: (G,) probability that a correct entry is among the first k, for k = 1..G.
        mean_average_precision: expected average precision.
    """

    mean_rank: float
    median_rank: float
    cmc: npt.NDArray[np.float64]
    mean_average_precision: float

    def recall_at(self, k: int) -> float:
        """Return the expected recall among the first k (1 where the gallery is shorter)."""
        return float(self.cmc[min(k, len(self.cmc)) - 1])


def compute_chance(num_gallery: npt.ArrayLike, num_relevant: npt.ArrayLike) -> Chance:
    """Return what a random ranking of this very gallery scores, averaged over the queries.

    With G entries of which R are correct, the first correct one has rank T with P(T > k) = C(G-R, k) / C(G, k)
    (hypergeometric: the first k entries are all wrong). From it
    E[T] = (G + 1) / (R + 1), recall at k is 1 - P(T > k), and with the harmonic number H
    E[AP] = (H(G) + (R-1)/(G-1) (G - H(G))) / G: entry k is correct with probability R/G, and given that, each of the
    k-1 before it with probability (R-1)/(G-1).
    The median is that of T pooled over the queries: the midpoint where half of the probability lies on either side.

    Args:
        num_gallery: G of each query, (Q,) or one number for all, at least 1.
        num_relevant: (Q,) R of each query, 1..G.

    Raises:
        EvaluationError: a query without a correct entry, or with more than its gallery holds.
    """
    relevant = np.atleast_1d(np.asarray(num_relevant, dtype=np.int64))
    sizes = np.broadcast_to(np.asarray(num_gallery, dtype=np.int64), relevant.shape)
    if len(relevant) == 0 or (relevant < 1).any() or (relevant > sizes).any():
        raise EvaluationError(
            "Each query needs at least one correct gallery entry and at most as many as the gallery holds. "
            f"Received: {relevant.min(initial=0)} to {relevant.max(initial=0)} correct of {sizes.min(initial=0)}."
        )
    kinds, counts = np.unique(np.stack([sizes, relevant]), axis=1, return_counts=True)
    cmc = np.zeros(int(sizes.max()))
    mean_rank = precision = 0.0
    for (size, correct), share in zip(kinds.T.tolist(), counts / counts.sum(), strict=True):
        steps = np.arange(size)
        cmc += share
        cmc[:size] -= share * np.cumprod(np.maximum(size - correct - steps, 0) / (size - steps))
        mean_rank += share * (size + 1) / (correct + 1)
        harmonic = float(np.sum(1.0 / (steps + 1.0)))
        both = (correct - 1) / max(size - 1, 1)
        precision += share * (harmonic + both * (size - harmonic)) / size
    return Chance(float(mean_rank), _find_median(cmc), cmc, float(precision))


def _find_median(cdf: npt.NDArray[np.float64]) -> float:
    # A cumulative product misses an exact half by rounding; there the median lies between two ranks.
    low = int(np.argmax(cdf >= 0.5 - 1e-9)) + 1
    high = int(np.argmax(cdf > 0.5 + 1e-9)) + 1
    return (low + high) / 2
