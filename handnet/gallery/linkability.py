"""Can templates of one person under two keys be linked? The global linkability measure."""

import numpy as np
import numpy.typing as npt

NUM_BINS = 50


def compute_linkability(mated: npt.ArrayLike, non_mated: npt.ArrayLike, num_bins: int = NUM_BINS) -> float:
    """Return how far scores across two keys tell whether both templates are of one person: 0 not at all, 1 always.

    Args:
        mated: scores of templates of one person under two keys.
        non_mated: scores of templates of different people under two keys, as many or more.
        num_bins: equal bins over the range of all scores.

    Returns:
        D↔sys, 0..1. With few scores the noise of the bins alone gives more than 0: compare it with what shuffled labels
        give.

    Reference:
        Gomez-Barrero et al., General Framework to Evaluate Unlinkability in Biometric Template Protection Systems, IEEE
        TIFS 13(6), 2018, equations 6 to 9, with ω = 1.
    """
    same, different = np.asarray(mated, np.float64), np.asarray(non_mated, np.float64)
    edges = np.linspace(min(same.min(), different.min()), max(same.max(), different.max()), num_bins + 1)
    same_share = np.histogram(same, edges)[0] / len(same)
    different_share = np.histogram(different, edges)[0] / len(different)
    # 2 LR / (1 + LR) - 1 = (p - q) / (p + q), which needs no division by q alone.
    total = same_share + different_share
    local = np.divide(same_share - different_share, total, out=np.zeros(num_bins), where=total > 0)
    return float(np.clip(local, 0, None) @ same_share)
