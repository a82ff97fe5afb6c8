"""Distances: equal to scipy's, exact on duplicates, accurate near collapse, finite gradients everywhere."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from handnet.losses.distances import DISTANCES, paired_distances, pairwise_distances, safe_sqrt, unit_rows

SCIPY = {"l2": "euclidean", "squared_l2": "sqeuclidean", "cosine": "cosine"}


def rows(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 6))


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_equal_scipy(distance):
    first, second = rows(7), rows(5, seed=1)
    expected = cdist(first, second, SCIPY[distance])
    np.testing.assert_allclose(pairwise_distances(first, second, distance), expected, rtol=1e-12)
    np.testing.assert_allclose(paired_distances(first[:5], second, distance), np.diag(expected), rtol=1e-12)


@pytest.mark.parametrize("distance", ["l2", "squared_l2"])
def test_rows_near_collapse_keep_their_distances(distance):
    # Around a common vector of length 1 with a spread of 1e-3: |a|² + |b|² - 2 ab alone is wrong by 10 %.
    vectors = (np.eye(1, 64, dtype="float32") + 1e-4 * np.random.default_rng(0).normal(size=(9, 64))).astype("float32")
    expected = cdist(vectors.astype("float64"), vectors.astype("float64"), SCIPY[distance])
    np.testing.assert_allclose(pairwise_distances(vectors, vectors, distance), expected, rtol=2e-5, atol=1e-9)


def test_duplicates_are_at_distance_zero_with_zero_gradient():
    vectors = tf.constant(np.random.default_rng(0).normal(size=(1, 256)).repeat(3, axis=0).astype("float32") + 5.0)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        distances = pairwise_distances(vectors, vectors, "l2")
    assert (distances.numpy() == 0).all()
    assert (tape.gradient(distances, vectors).numpy() == 0).all()


def test_the_root_of_zero_has_a_zero_gradient():
    x = tf.constant([0.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        root = safe_sqrt(x)
    np.testing.assert_array_equal(root, [0.0, 2.0])
    np.testing.assert_array_equal(tape.gradient(root, x), [0.0, 0.25])


def test_a_zero_row_stays_zero_with_a_finite_gradient():
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        unit = unit_rows(x)
    np.testing.assert_allclose(unit, [[0.0, 0.0], [0.6, 0.8]], rtol=1e-6)
    assert np.isfinite(tape.gradient(unit, x).numpy()).all()
