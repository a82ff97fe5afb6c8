"""The range test: what is measured, and which rate is suggested."""

import keras
import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.training.lr_range import measure_range, suggest_rate

RATES = 10.0 ** np.linspace(-6, 0, 101)


def average(losses: np.ndarray) -> np.ndarray:
    """Return the running mean as `measure_range` does."""
    mean, means = 0.0, []
    for step, loss in enumerate(losses):
        mean = 0.9 * mean + 0.1 * loss
        means.append(mean / (1 - 0.9 ** (step + 1)))
    return np.asarray(means)


def test_the_suggestion_is_where_the_loss_falls_the_fastest() -> None:
    # A logistic fall around 1e-3, then divergence from 1e-1 on.
    losses = 1 / (1 + np.exp(4 * (np.log10(RATES) + 3))) + np.where(RATES > 0.1, 5 * (np.log10(RATES) + 1), 0.0)
    assert suggest_rate(RATES, losses, losses) == pytest.approx(1e-3, rel=0.3)


@pytest.mark.parametrize("seed", range(20))
def test_noisy_first_batches_are_not_the_steepest_fall(seed: int) -> None:
    """The first batches of a run jump; the loss itself falls around 1e-3."""
    rng = np.random.default_rng(seed)
    losses = 0.5 + 0.5 / (1 + np.exp(4 * (np.log10(RATES) + 3))) + rng.normal(0, 0.05, len(RATES))
    losses[:3] += (0.6, 0.4, 0.2)
    suggested = suggest_rate(RATES, losses, average(losses))
    assert suggested is not None
    # The running mean lags by ten batches at most, which is a factor of 4 in the rate.
    assert 2e-4 < suggested < 2e-2


def test_the_suggestion_lies_where_the_drawn_curve_falls_fastest() -> None:
    """Batches are noisy: the suggestion may be a few steps off the steepest place of the running mean without noise, no more."""
    clean = 0.5 + 0.5 / (1 + np.exp(2 * (np.log10(RATES) + 3)))
    steepest = RATES[int(np.argmin(np.diff(average(clean))))]
    decades = []
    for seed in range(100):
        losses = clean + np.random.default_rng(seed).normal(0, 0.1, len(RATES))
        suggestion = suggest_rate(RATES, losses, average(losses))
        decades += [] if suggestion is None else [np.log10(suggestion / steepest)]
    assert len(decades) > 80
    assert abs(np.mean(decades)) < 0.1
    # By differences of two means, ten steps apart, these were 0.48 and 2.76; now 0.28 and 0.78.
    assert np.sqrt(np.mean(np.square(decades))) < 0.35
    assert np.abs(decades).max() < 1.0


@pytest.mark.parametrize("seed", range(20))
def test_a_loss_that_does_not_fall_has_no_suggestion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for course in (np.ones(101), np.linspace(1, 2, 101)):
        losses = course + rng.normal(0, 0.05, 101)
        assert suggest_rate(RATES, losses, average(losses)) is None
    # As training ends early where the loss diverges at once.
    assert suggest_rate(RATES[:8], losses[:8], average(losses[:8])) is None


def test_a_diverging_loss_ends_the_range_and_a_quadratic_knows_its_limit() -> None:
    """Gradient descent on w² diverges from a rate of 1: what is measured must fall before and end after it."""
    inputs = keras.Input((1,))
    output = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(inputs)
    model = keras.Model(inputs, output)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    batch = np.ones((4, 1), np.float32), np.zeros((4, 1), np.float32)
    measured = measure_range(model, iter([batch] * 400), 1e-3, 1e3, 400)
    assert 1.0 < measured.rates[-1] < 100
    assert measured.suggestion is not None
    assert 1e-3 < measured.suggestion < 1.0
    assert len(measured.rates) == len(measured.losses) == len(measured.smooth) < 400
    for wrong in ((1.0, 0.1, 100), (0.0, 1.0, 100), (0.1, 1.0, 3)):
        with pytest.raises(ConfigError):
            measure_range(model, iter([batch] * 100), *wrong)
