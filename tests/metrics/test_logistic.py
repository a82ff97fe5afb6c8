"""The logistic function and its inverse: scipy's numbers, to a few units in the last place."""

import numpy as np
import scipy.special

from handnet.metrics.logistic import expit, logit


def test_both_are_scipys() -> None:
    ratios = np.concatenate([np.linspace(-50, 50, 1001), [-1e4, -800.0, 0.0, 800.0, 1e4]])
    np.testing.assert_allclose(expit(ratios), scipy.special.expit(ratios), rtol=1e-15, atol=0)
    probabilities = np.concatenate([[0.0, 1e-300, 1e-9], np.linspace(0.001, 0.999, 999), [1 - 1e-12, 1.0]])
    np.testing.assert_allclose(logit(probabilities), scipy.special.logit(probabilities), rtol=1e-13, atol=1e-15)


def test_numbers_stay_numbers() -> None:
    assert expit(0.0) == 0.5
    assert logit(0.5) == 0.0
    assert np.ndim(expit(1.0)) == 0
