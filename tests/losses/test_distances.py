"""Distances: equal to scipy's, exact on duplicates, accurate near collapse, finite gradients everywhere."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from handnet.losses.distances import DISTANCES, paired_distances, pairwise_distances, row_norms, unit_rows

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


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("alone", [True, False], ids=["to themselves", "to others"])
def test_gradients_equal_finite_differences(distance, alone):
    first, second = rows(4), rows(3, seed=1)
    weights = np.random.default_rng(2).normal(size=(4, 4 if alone else 3))
    if alone:
        np.fill_diagonal(weights, 0.0)

    def value(first, second):
        return tf.reduce_sum(weights * pairwise_distances(first, first if alone else second, distance))

    given = [tf.constant(first)] if alone else [tf.constant(first), tf.constant(second)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        result = value(given[0], given[-1])
    for place, gradient in enumerate(tape.gradient(result, given)):
        expected = np.zeros(gradient.shape)
        for entry in np.ndindex(*gradient.shape):
            moved = []
            for step in (1e-6, -1e-6):
                shifted = [x.numpy() for x in given]
                shifted[place][entry] += step
                shifted = [tf.constant(x) for x in shifted]
                moved.append(float(value(shifted[0], shifted[-1])))
            expected[entry] = (moved[0] - moved[1]) / 2e-6
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_a_promise_of_symmetric_slopes_changes_no_gradient():
    given = tf.constant(rows(4))
    weights = np.random.default_rng(2).normal(size=(4, 4))
    gradients = []
    for promised in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(given)
            distances = pairwise_distances(given, given, "l2", symmetric_slopes=promised)
            value = tf.reduce_sum((weights + weights.T) * distances)
        gradients.append(tape.gradient(value, given))
    assert np.abs(gradients[0]).max() > 0.1
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-12)


def test_the_norm_of_a_zero_row_has_a_zero_gradient():
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        norms = row_norms(x)
    np.testing.assert_array_equal(norms, [0.0, 5.0])
    np.testing.assert_allclose(tape.gradient(norms, x), [[0.0, 0.0], [0.6, 0.8]], rtol=1e-6)


def test_a_zero_row_stays_zero_with_a_finite_gradient():
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        unit = unit_rows(x)
    np.testing.assert_allclose(unit, [[0.0, 0.0], [0.6, 0.8]], rtol=1e-6)
    assert np.isfinite(tape.gradient(unit, x).numpy()).all()
