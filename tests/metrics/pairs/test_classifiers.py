"""Baselines on pairs of embeddings."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from handnet.metrics.pairs.classifiers import BASELINES


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_symmetric_and_learns(name):
    rng = np.random.default_rng(3)
    first = rng.normal(size=(400, 6))
    same = rng.random(400) < 0.5
    second = np.where(same[:, None], first + rng.normal(0, 0.2, first.shape), rng.normal(size=first.shape))
    score = BASELINES[name](first[:300], second[:300], same[:300], 0)
    assert roc_auc_score(same[300:], score(first[300:], second[300:])) > 0.9
    assert (score(first, second) == score(second, first)).all()
