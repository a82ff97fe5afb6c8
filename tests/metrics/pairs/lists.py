"""Lists of pairs for tests."""

import numpy as np

from handnet.metrics.pairs.all_pairs import PairScores
from handnet.metrics.pairs.pair_list import collect_pairs


def collect_scores(genuine, impostor, thresholds=()) -> PairScores:
    """Genuine and impostor scores, every pair of people who are in no other."""
    same = np.r_[np.ones(len(genuine), bool), np.zeros(len(impostor), bool)]
    first = np.arange(len(same))
    people = np.stack([first, np.where(same, first, -1 - first)], axis=1).astype(str)
    return collect_pairs(np.r_[np.asarray(genuine, float), np.asarray(impostor, float)], same, people, thresholds)
