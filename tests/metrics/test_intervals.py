"""Intervals over people: against a slow bootstrap, and their coverage on simulated data."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.intervals import (
    bootstrap_means,
    bootstrap_median,
    draw_people,
    find_interval,
)


def test_means_equal_a_loop_over_replicates():
    generator = np.random.default_rng(0)
    people = np.array(list("aaabbccccd"))
    values = generator.normal(size=(10, 2))
    replicates = bootstrap_means(values, people, -3.0, 5.0, num_replicates=20, seed=4)
    weights = draw_people(4, 20, seed=4)
    for row, drawn in zip(replicates, weights, strict=True):
        total, count = np.zeros(2), 0.0
        for person, times in zip("abcd", drawn[:4], strict=True):
            total += times * values[people == person].sum(axis=0)
            count += times * (people == person).sum()
        for bound, times in zip((-3.0, 5.0), drawn[4:], strict=True):
            total += times * 2.5 * bound  # ten queries of four people
            count += times * 2.5
        np.testing.assert_allclose(row, total / count)


def test_medians_equal_numpy_on_the_expanded_sample():
    people = np.array(list("aabbccdd"))
    values = np.array([1.0, 9.0, 2.0, 2.0, 7.0, 4.0, 5.0, 30.0])
    replicates = bootstrap_median(values, people, 1.0, 20.0, num_replicates=50, seed=2)
    for median, drawn in zip(replicates, draw_people(4, 50, seed=2).astype(int), strict=True):
        sample = [v for p, t in zip("abcd", drawn[:4], strict=True) for v in np.tile(values[people == p], t)]
        sample += [1.0] * 2 * drawn[4] + [20.0] * 2 * drawn[5]
        assert median == np.median(sample)


def test_blocks_do_not_change_the_medians(monkeypatch):
    values, people = np.arange(30.0), np.repeat(np.arange(10), 3)
    whole = bootstrap_median(values, people, 0, 9, num_replicates=40)
    monkeypatch.setattr("handnet.metrics.intervals._BLOCK_CELLS", 64)
    assert bootstrap_median(values, people, 0, 9, num_replicates=40).tolist() == whole.tolist()


def test_photos_of_one_person_do_not_narrow_the_interval():
    hits = np.random.default_rng(1).random(30) < 0.5
    once = find_interval(bootstrap_means(hits[:, None], np.arange(30), 0, 1))
    often = find_interval(bootstrap_means(np.repeat(hits, 50)[:, None], np.repeat(np.arange(30), 50), 0, 1))
    np.testing.assert_allclose(once, often)


def test_everybody_found_is_no_certainty():
    low, high = find_interval(bootstrap_means(np.ones((41, 1)), np.arange(41), 0, 1))[:, 0]
    assert (round(low, 2), high) == (0.93, 1.0)  # Clopper-Pearson: 0.914


def simulate_ranks(generator, num_people, noise, num_queries=1):
    """Ranks of people of differing difficulty against templates; several queries of a person share its difficulty."""
    centres = generator.normal(size=(num_people, 16))
    spread = noise * np.exp(0.5 * generator.normal(size=(num_people, 1)))
    gallery = centres + spread * generator.normal(size=centres.shape)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    people = np.repeat(np.arange(num_people), num_queries)
    lasting = spread * generator.normal(size=centres.shape)
    queries = (centres + lasting)[people] + 0.5 * spread[people] * generator.normal(size=(len(people), 16))
    similarities = queries @ gallery.T
    return np.sum(similarities >= similarities[np.arange(len(people)), people][:, None], axis=1), people


@pytest.mark.parametrize(
    ("num_people", "noise", "num_queries", "num_replicates"),
    [(41, 0.8, 1, 200), (41, 1.5, 5, 200), pytest.param(150, 0.5, 1, 400, marks=pytest.mark.slow)],
)
def test_coverage_is_right_on_simulated_data(num_people, noise, num_queries, num_replicates):
    """New people, query and gallery alike, in each of 1,000 simulated test sets; nominal 95 %."""
    generator = np.random.default_rng(20)
    low, high = [1.0, 0.0, 0.0, 0.0], [(num_people + 1) / 2, 1.0, 1.0, 1.0]
    intervals, points = [], []
    for trial in range(1000):
        ranks, people = simulate_ranks(generator, num_people, noise, num_queries)
        columns = np.column_stack([ranks, ranks <= 1, ranks <= 10, 1 / ranks])
        points.append(columns.mean(axis=0))
        intervals.append(
            find_interval(bootstrap_means(columns, people, low, high, num_replicates=num_replicates, seed=trial))
        )
    truth, bounds = np.mean(points, axis=0), np.array(intervals)
    coverage = np.mean((bounds[:, 0] <= truth) & (truth <= bounds[:, 1]), axis=0)
    assert ((coverage >= 0.93) & (coverage <= 0.97)).all(), coverage


def test_one_person_has_no_interval():
    with pytest.raises(EvaluationError, match="at least two people. Received: 1"):
        bootstrap_means(np.ones((3, 1)), np.array(["a"] * 3), 0, 1)
