"""The one-cycle learning rate."""

import numpy as np
import pytest

from handnet.config.settings import OptimizerConfig
from handnet.training.optimizer import OneCycle, build_optimizer


def test_one_cycle_rises_and_falls_as_published() -> None:
    schedule = OneCycle(0.1, 100)
    rates = np.asarray([float(schedule(step)) for step in range(101)])
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates[29] == pytest.approx(0.1)
    assert rates[99] == pytest.approx(0.1 / 250_000, rel=1e-3)
    assert rates[100] == rates[99]
    assert (np.diff(rates[:30]) > 0).all()
    assert (np.diff(rates[29:100]) < 0).all()
    # Half-way up a half cosine lies half-way between its ends.
    assert np.interp(14.5, range(101), rates) == pytest.approx((0.1 / 25 + 0.1) / 2, rel=1e-2)
    optimizer = build_optimizer(OptimizerConfig(schedule="one-cycle", learning_rate=0.1), 100)
    assert float(optimizer.learning_rate) == pytest.approx(0.1 / 25)
