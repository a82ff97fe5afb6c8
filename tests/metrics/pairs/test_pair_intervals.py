"""Intervals of verification over people."""

import numpy as np
import pytest

from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.pair_intervals import bootstrap_pairs, choose_edges
from handnet.metrics.pairs.verification import (
    measure_threshold,
    summarize_pairs,
)


def draw_people(generator, num_people, photos):
    """Verification figures of these people vary from draw to draw: they differ in how well they match."""
    rows, people, views = (
        [],
        np.repeat(np.arange(num_people), 2 * photos),
        np.tile(["dorsal", "palmar"], num_people * photos),
    )
    centres = generator.normal(size=(num_people, 8))
    spread = 0.7 * np.exp(0.5 * generator.normal(size=(num_people, 1)))
    rows = centres[people] + spread[people] * generator.normal(size=(len(people), 8))
    return make_part(rows / np.linalg.norm(rows, axis=1, keepdims=True), people, views)


@pytest.mark.slow
def test_coverage_of_the_intervals_on_simulated_people():
    generator = np.random.default_rng(7)
    points, bounds = [], []
    for trial in range(300):
        part = draw_people(generator, 30, 2)
        pairs = score_pairs(part, [0.5])
        figures, judged = summarize_pairs(pairs), measure_threshold(pairs, 0.5)
        interval = bootstrap_pairs(part, pairs, figures, {"t": 0.5}, num_replicates=150, seed=trial)
        points.append(
            {"auc": figures["auc"], "eer": figures["eer"], "tar": figures["true_accept_rate"]["0.1"]} | judged
        )
        tar = {"tar": interval["true_accept_rate"]["0.1"]}
        bounds.append(interval["thresholds"]["t"] | {"auc": interval["auc"], "eer": interval["eer"]} | tar)
    for name in ("auc", "eer", "tar", "f1", "false_reject_rate", "false_accept_rate"):
        truth = np.mean([point[name] for point in points])
        coverage = np.mean([bound[name][0] <= truth <= bound[name][1] for bound in bounds])
        # Weighing a pair by both of its people is known to overstate the spread of a mean over pairs.
        assert 0.93 <= coverage <= (0.995 if name == "false_accept_rate" else 0.97), (name, coverage)


def test_intervals_hold_the_figure_and_are_repeatable():
    part = draw_people(np.random.default_rng(0), 20, 3)
    pairs = score_pairs(part, [0.4])
    figures = summarize_pairs(pairs)
    interval = bootstrap_pairs(part, pairs, figures, {"t": 0.4}, num_replicates=200, seed=3)
    assert interval == bootstrap_pairs(part, pairs, figures, {"t": 0.4}, num_replicates=200, seed=3)
    for name in ("auc", "eer"):
        assert interval[name][0] < figures[name] < interval[name][1]
    assert len(choose_edges(pairs, [0.4])) <= 161


def test_more_people_than_groups_give_much_the_same_interval(monkeypatch):
    part = draw_people(np.random.default_rng(1), 120, 1)
    pairs = score_pairs(part)
    figures = summarize_pairs(pairs)
    whole = bootstrap_pairs(part, pairs, figures, {}, num_replicates=400)["auc"]
    monkeypatch.setattr("handnet.metrics.pairs.pair_intervals.MAX_GROUPS", 40)
    grouped = bootstrap_pairs(part, pairs, figures, {}, num_replicates=400)["auc"]
    assert (grouped[1] - grouped[0]) / (whole[1] - whole[0]) == pytest.approx(1, abs=0.35)
