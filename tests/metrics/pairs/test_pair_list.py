"""Figures of a list of pairs: against scikit-learn, by hand, and their coverage on simulated people."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from handnet.errors import EvaluationError
from handnet.metrics.intervals import find_interval
from handnet.metrics.pairs.pair_list import bootstrap_pair_list, evaluate_pair_list


def test_figures_agree_with_scikit_learn_and_bounds_hold_them():
    rng = np.random.default_rng(2)
    same = rng.random(300) < 0.4
    scores = np.round(same * 0.5 + rng.normal(0, 0.5, 300), 1).astype(np.float32)
    people = np.asarray([(f"a{k}", f"a{k}" if s else f"b{k}") for k, s in enumerate(same)])
    figures = evaluate_pair_list(scores, same, people, threshold=0.3, num_replicates=300)
    assert figures["auc"] == pytest.approx(roc_auc_score(same, scores))
    assert figures["f1"] == pytest.approx(f1_score(same, scores >= np.float32(0.3)))
    assert figures["accuracy"] == pytest.approx(accuracy_score(same, scores >= np.float32(0.3)))
    assert sum(figures["confusion"].values()) == 300
    for name, (low, high) in figures["interval"].items():
        assert low < figures[name] < high


def test_a_replicate_weighs_pairs_as_their_people_were_drawn(monkeypatch):
    people = np.asarray([("a", "a"), ("b", "b"), ("a", "b"), ("c", "b"), ("a", "c")])
    same = np.asarray([True, True, False, False, False])
    scores = np.asarray([0.9, 0.2, 0.2, 0.4, 0.1], np.float32)
    draws = [[2, 1, 0, 0, 0], [1, 1, 1, 0, 0], [3, 0, 0, 1, 1], [1, 1, 1, 1, 1]]
    monkeypatch.setattr("handnet.metrics.pairs.pair_list.draw_people", lambda *_: np.asarray(draws, float))
    figures = bootstrap_pair_list(scores, same, people, np.float32(0.3), 4, 0)
    # First draw: a's pair twice, b's once, the pair of a and b twice, none with c. Second: every pair once. Third: no pair
    # of two people is left, so nothing is computed. Fourth: as the second, and a pair of each pseudo-person: one accepted
    # and above all impostors, the other's with a third at each impostor's score, so accepted by a third, its AUC one half.
    assert figures["auc"] == pytest.approx([(2 * 1 + 1 * 0.5) / 3, (3 + 0.5 + 1) / 6, (0.75 * 2 + 1 + 0.5) / 4])
    assert figures["f1"] == pytest.approx([2 * 2 / (3 + 2), 2 * 1 / (2 + 2), 2 * (2 + 1 / 3) / (4 + 2 + 1 / 3 + 1)])
    assert figures["accuracy"] == pytest.approx([(2 + 2) / 5, (1 + 2) / 5, (2 + 1 / 3 + 2) / 7])
    assert figures["false_accept_rate"] == pytest.approx([0, 1 / 3, 1 / 3])
    assert figures["false_reject_rate"] == pytest.approx([1 / 3, 1 / 2, 1 - (2 + 1 / 3) / 4])


def test_pairs_that_are_all_right_are_no_certainty():
    people = np.asarray([(f"p{k // 2}", f"p{k // 2 + k % 2}") for k in range(80)])
    same = people[:, 0] == people[:, 1]
    figures = evaluate_pair_list(np.where(same, 0.9, 0.1), same, people, threshold=0.5, num_replicates=1000)
    assert (figures["auc"], figures["f1"], figures["false_reject_rate"]) == (1, 1, 0)
    # 40 people without an error: by the rule of three up to 7.5 % may be rejected.
    assert figures["interval"]["false_reject_rate"] == pytest.approx([0, 0.07], abs=0.02)
    assert figures["interval"]["auc"][0] == pytest.approx(0.965, abs=0.01)
    assert figures["interval"]["auc"][1] == 1


@pytest.mark.slow
def test_coverage_on_simulated_lists():
    """Lists as LFW's: some people with pairs of their own, others only in pairs of two; nominal 95 %."""
    rng = np.random.default_rng(9)
    points, bounds = [], []
    for trial in range(300):
        first, second = rng.integers(200, size=(2, 400))
        second = np.where(np.arange(400) < 200, first, np.where(second == first, (second + 1) % 200, second))
        same = first == second
        hardness = rng.normal(size=200)
        scores = (0.4 * same * (1 + 0.5 * hardness[first]) + 0.2 * rng.normal(size=400)).astype(np.float32)
        people = np.stack([first, second], axis=1).astype(str)
        figures = evaluate_pair_list(scores, same, people, threshold=0.2, num_replicates=1, seed=trial)
        replicates = bootstrap_pair_list(scores, same, people, np.float32(0.2), 200, trial)
        points.append({name: figures[name] for name in replicates})
        bounds.append({name: find_interval(values) for name, values in replicates.items()})
    for name in points[0]:
        truth = np.mean([point[name] for point in points])
        coverage = np.mean([bound[name][0] <= truth <= bound[name][1] for bound in bounds])
        # Weighing a pair by both of its people overstates the spread where each person is in few pairs: wide, never narrow.
        assert 0.94 <= coverage <= (0.98 if name == "false_reject_rate" else 1.0), (name, coverage)


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(EvaluationError, match="2 scores, 1 labels and 2 pairs of people"):
        evaluate_pair_list(np.zeros(2), np.asarray([True]), np.asarray([("a", "a"), ("a", "b")]), 0.0)
    with pytest.raises(EvaluationError, match="Received: 2 and 0"):
        evaluate_pair_list(np.zeros(2), np.asarray([True, True]), np.asarray([("a", "a"), ("b", "b")]), 0.0)
