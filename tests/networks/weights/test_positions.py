"""Resampling of position tables: Keras's own resize, hand-derived values, and PyTorch's (tests/goldens/make_positions.py)."""

from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.networks.weights.positions import POSITION_RULES, resample_table

GOLDEN = Path(__file__).parents[2] / "goldens" / "positions.npz"


def make_table(grid: int, width: int = 2) -> np.ndarray:
    return np.random.default_rng(grid).standard_normal((1, 1 + grid * grid, width), dtype=np.float32)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("rule", ["meta", "huggingface"])
@pytest.mark.parametrize("grid", [3, 6, 16, 40])
def test_equals_pytorchs_interpolate(rule, antialias, grid):
    with np.load(GOLDEN) as golden:
        expected = golden[f"{rule}/{antialias}/{grid}"]
    # PyTorch computes the places in float32: a table of deviation 1 differs by 1e-5.
    np.testing.assert_allclose(resample_table(make_table(37), grid, rule, antialias), expected, atol=2e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="keras-hub's rule is that of TensorFlow's resize")
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("grid", [3, 16, 40])
def test_keras_rule_equals_keras_resize(antialias, grid):
    table = make_table(37)
    patches = table[:, 1:].reshape(1, 37, 37, 2)
    expected = keras.ops.image.resize(patches, (grid, grid), interpolation="bicubic", antialias=antialias)
    expected = keras.ops.convert_to_numpy(expected).reshape(1, grid * grid, 2)
    resampled = resample_table(table, grid, "keras", antialias)
    np.testing.assert_allclose(resampled[:, 1:], expected, atol=2e-5)
    np.testing.assert_array_equal(resampled[:, 0], table[:, 0])


@pytest.mark.parametrize("rule", POSITION_RULES)
@pytest.mark.parametrize("antialias", [False, True])
def test_a_constant_stays_and_the_same_size_is_untouched(rule, antialias):
    constant = np.full((1, 1 + 25, 3), 0.7, np.float32)
    np.testing.assert_allclose(resample_table(constant, 3, rule, antialias), 0.7, atol=1e-6)
    table = make_table(5)
    np.testing.assert_array_equal(resample_table(table, 5, rule, antialias), table)


def test_halving_by_hand():
    # 4 → 2 by huggingface's rule: centres 0.5 and 2.5, taps at distance 1.5, 0.5, 0.5, 1.5 with a = -0.75, so
    # weights -0.09375 and 0.59375; the tap left of the first edge falls on the edge: row 0 = (0.5, 0.59375, -0.09375, 0).
    row = np.array([0.5, 0.59375, -0.09375, 0.0])
    matrix = np.stack([row, row[::-1]])
    table = make_table(4, 1)
    expected = matrix @ table[0, 1:, 0].reshape(4, 4).astype(np.float64) @ matrix.T
    np.testing.assert_allclose(resample_table(table, 2, "huggingface", False)[0, 1:, 0], expected.ravel(), atol=1e-6)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigError, match="Unknown position rule 'meat'. Did you mean 'meta'"):
        resample_table(make_table(3), 2, "meat", False)
