"""The same numbers on JAX, on one device and on two, as on TensorFlow, computed in a process with KERAS_BACKEND=jax."""

import importlib.util

import numpy as np
import pytest

from tests.forked import run_program
from tests.losses.cases import CASES, draw_for, draw_proxies, loss_and_gradient, ready_loss
from tests.losses.jax_values import FITS, fit

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")


@pytest.mark.slow
def test_jax_equals_tensorflow(tmp_path):
    cases = np.empty(len(CASES), dtype=object)
    for place, (name, options) in enumerate(CASES):
        cases[place] = (f"{place} {name}", name, options, *draw_for(name, dtype="float32"), draw_proxies())
    np.savez(tmp_path / "cases.npz", cases=cases)
    program = "from tests.losses.jax_values import main; main()"
    run_program(program, str(tmp_path / "cases.npz"), str(tmp_path / "results.npz"), backend="jax", devices=2)
    results = np.load(tmp_path / "results.npz")
    assert results["backend"] == "jax"
    assert results["num_devices"] == 2
    for key, name, options, y_true, y_pred, _ in cases:
        value, gradient = loss_and_gradient(ready_loss(name, options), y_true, y_pred)
        assert float(results[f"{key} loss"]) == pytest.approx(value, rel=1e-5)
        scale = np.abs(gradient).max()
        assert scale > 1e-3
        np.testing.assert_allclose(results[f"{key} gradient"], gradient, rtol=1e-4, atol=1e-5 * scale)
    for key, name, options in FITS:
        losses, active, norms = results[key]
        np.testing.assert_allclose(results[key], fit(name, options), rtol=1e-4)
        # Each device has half of a batch, and its rows meet those of the other.
        np.testing.assert_allclose(results[f"{key} on all devices"], results[key], rtol=1e-5)
        assert len(set(losses)) == 3, "every epoch moves the weights"
        assert 0 < active[-1] < 1
        assert 0 < norms[-1] < 1
