"""What a ranking at random would score on a given gallery: exact expectations, nothing simulated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError

RECALL_AT = (1, 5, 10)


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


def compute_chance(num_gallery: int, num_relevant: npt.ArrayLike) -> Chance:
    """Return what a random ranking of this very gallery scores, averaged over the queries.

    With G entries of which R are correct, the first correct one has rank T with P(T > k) = C(G-R, k) / C(G, k)
    (hypergeometric: the first k entries are all wrong). From it
    E[T] = (G + 1) / (R + 1), recall at k is 1 - P(T > k), and with the harmonic number H
    E[AP] = (H(G) + (R-1)/(G-1) (G - H(G))) / G: entry k is correct with probability R/G, and given that, each of the
    k-1 before it with probability (R-1)/(G-1).
    The median is that of T pooled over the queries: the midpoint where half of the probability lies on either side.

    Args:
        num_gallery: G, at least 1.
        num_relevant: (Q,) R of each query, 1..G.

    Raises:
        EvaluationError: a query without a correct entry, or with more than the gallery holds.
    """
    relevant, weights = np.unique(np.asarray(num_relevant), return_counts=True)
    if len(relevant) == 0 or relevant[0] < 1 or relevant[-1] > num_gallery:
        raise EvaluationError(
            f"Each query needs between 1 and {num_gallery} correct gallery entries. Received: {relevant.tolist()[:5]}."
        )
    share = weights / weights.sum()
    steps = np.arange(num_gallery)
    missed = np.zeros(num_gallery)
    for r, w in zip(relevant, share, strict=True):
        missed += w * np.cumprod(np.maximum(num_gallery - r - steps, 0) / (num_gallery - steps))
    cmc = 1.0 - missed
    harmonic = float(np.sum(1.0 / (steps + 1.0)))
    both = (relevant - 1) / max(num_gallery - 1, 1)
    precision = (harmonic + both * (num_gallery - harmonic)) / num_gallery
    return Chance(
        mean_rank=float(share @ ((num_gallery + 1) / (relevant + 1))),
        median_rank=_find_median(cmc),
        cmc=cmc,
        mean_average_precision=float(share @ precision),
    )


def _find_median(cdf: npt.NDArray[np.float64]) -> float:
    # A cumulative product misses an exact half by rounding; there the median lies between two ranks.
    low = int(np.argmax(cdf >= 0.5 - 1e-9)) + 1
    high = int(np.argmax(cdf > 0.5 + 1e-9)) + 1
    return (low + high) / 2
