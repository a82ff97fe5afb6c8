"""Verification against scikit-learn, brute force over all pairs, and fractions derived by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn import metrics

from handnet.errors import EvaluationError
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.verification import (
    build_curve,
    choose_threshold,
    compute_auc,
    compute_eer,
    find_true_accept,
    measure_threshold,
    refuse_rate,
    summarize_pairs,
    thin_curve,
)
from tests.metrics.oracles import draw_part
from tests.metrics.pairs.lists import collect_scores
from tests.metrics.pairs.scores import brute_force, label


def draw_scores(seed, ties):
    generator = np.random.default_rng(seed)
    genuine, impostor = generator.normal(0.4, 0.2, 70), generator.normal(0.1, 0.2, 900)
    if ties:
        genuine, impostor = np.round(genuine, 1), np.round(impostor, 1)
    return np.clip(genuine, -1, 1).astype(np.float32), np.clip(impostor, -1, 1).astype(np.float32)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_curve_auc_and_eer_equal_scikit_learn(seed, ties):
    genuine, impostor = draw_scores(seed, ties)
    truth, scores = label(genuine, impostor)
    curve = build_curve(collect_scores(genuine, impostor))
    assert compute_auc(curve) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)
    false, true, thresholds = metrics.roc_curve(truth, scores, drop_intermediate=False)
    ours = {(round(f, 9), round(t, 9)) for f, t in zip(curve.false_accept, curve.true_accept, strict=True)}
    at_genuine = {
        (round(f, 9), round(t, 9)) for f, t, s in zip(false, true, thresholds, strict=True) if s in set(genuine)
    }
    assert at_genuine <= ours
    expected = brentq(lambda f: 1.0 - f - np.interp(f, false, true), 0, 1) if not ties else None
    if expected is not None:
        assert compute_eer(curve)[0] == pytest.approx(expected, abs=1e-3)


def test_hand_derived_curve():
    # Descending: g .9, i .8, g = i = .7, g .6, i .5. AUC = (3 + 2 + 1 pairs won) ... genuine .9 beats 3, .7 beats 1 and
    # ties 1, .6 beats 1: (3 + 1.5 + 1) / 9.
    pairs = collect_scores([0.9, 0.7, 0.6], [0.8, 0.7, 0.5])
    curve = build_curve(pairs)
    assert compute_auc(curve) == pytest.approx(5.5 / 9)
    # At .7: FAR 2/3 and FRR 1/3. Just above: FAR 1/3 and FRR 2/3. Half way both are 1/2.
    assert compute_eer(curve)[0] == pytest.approx(1 / 2)
    assert find_true_accept(curve, 0.0) == pytest.approx(1 / 3)
    assert find_true_accept(curve, 0.5) == pytest.approx(1 / 3)
    assert find_true_accept(curve, 0.7) == pytest.approx(1)


def test_perfect_and_reversed_scores():
    assert compute_auc(build_curve(collect_scores([0.8, 0.9], [0.1, 0.2]))) == 1
    assert compute_eer(build_curve(collect_scores([0.8, 0.9], [0.1, 0.2])))[0] == 0
    assert compute_auc(build_curve(collect_scores([0.1, 0.2], [0.8, 0.9]))) == 0
    assert compute_eer(build_curve(collect_scores([0.1, 0.2], [0.8, 0.9])))[0] == 1
    collapsed = build_curve(collect_scores([0.5] * 4, [0.5] * 9))
    assert (compute_auc(collapsed), compute_eer(collapsed)[0]) == (0.5, 0.5)


def test_figures_at_a_threshold_equal_scikit_learn():
    part = make_part(*draw_part(np.random.default_rng(3), num_people=10))
    genuine, impostor = brute_force(part)
    figures = measure_threshold(score_pairs(part, [0.3]), 0.3)
    truth, scores = label(genuine, impostor)
    called = scores >= np.float32(0.3)
    assert figures["f1"] == pytest.approx(metrics.f1_score(truth, called))
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, called))
    assert figures["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, called))
    assert figures["precision"] == pytest.approx(metrics.precision_score(truth, called))
    (tn, fp), (fn, tp) = metrics.confusion_matrix(truth, called).tolist()
    assert figures["confusion"] == {"true_accepts": tp, "false_rejects": fn, "false_accepts": fp, "true_rejects": tn}
    constant = [metrics.f1_score(truth, np.full(len(truth), c), zero_division=0) for c in (0, 1)]
    assert figures["chance"]["f1"] == pytest.approx(max(constant))
    assert figures["chance"]["accuracy"] == pytest.approx(metrics.accuracy_score(truth, np.zeros(len(truth))))


def test_thresholds_are_the_best_on_their_pairs():
    genuine, impostor = draw_scores(4, ties=False)
    pairs = collect_scores(genuine, impostor)
    truth, scores = label(genuine, impostor)
    best = max(2 * truth[scores >= t].sum() / (70 + (scores >= t).sum()) for t in np.unique(scores))
    threshold = choose_threshold(pairs, "best_f1")
    assert metrics.f1_score(truth, scores >= np.float32(threshold)) == pytest.approx(best)
    equal = choose_threshold(pairs)
    assert abs((impostor >= equal).mean() - (genuine < equal).mean()) < 1 / 70
    with pytest.raises(EvaluationError, match=r"Unknown criterion 'f1'\. Valid: best_f1, equal_error"):
        choose_threshold(pairs, "f1")
    with pytest.raises(EvaluationError, match="which was not counted"):
        measure_threshold(pairs, 0.123)


def test_rates_beyond_the_number_of_people_are_refused():
    # 41 people are 820 pairs: 1 % needs 300, 0.1 % needs 3,000, however many photos there are.
    assert refuse_rate(0.01, 820, "pairs") == ""
    for rate in (5e-324, 0.0):
        assert "more than can be counted" in refuse_rate(rate, 820, "pairs")
    assert "820 pairs cannot carry a rate of 0.1 %: by the rule of three it takes 3,000" in refuse_rate(
        0.001, 820, "pairs"
    )
    part = make_part(*draw_part(np.random.default_rng(5), num_people=30))
    figures = summarize_pairs(score_pairs(part))
    assert figures["num_person_pairs"] == 435
    assert figures["num_impostor"] > 1000
    assert list(figures["true_accept_rate"]) == ["0.1", "0.01"]
    assert list(figures["refused"]) == ["0.001", "0.0001"]


def test_thin_curves_keep_their_shape():
    genuine, impostor = np.random.default_rng(0).normal(0.1, 0.2, 5000), np.random.default_rng(1).normal(0, 0.2, 9000)
    curve = build_curve(collect_scores(genuine, impostor))
    thin = thin_curve(curve)
    assert len(thin.thresholds) <= 202
    assert (thin.false_accept[0], thin.true_accept[0], thin.false_accept[-1], thin.true_accept[-1]) == (0, 0, 1, 1)
    assert compute_auc(thin) == pytest.approx(compute_auc(curve), abs=0.01)


def test_bad_scores_are_named():
    with pytest.raises(EvaluationError, match="Received: 0 and 1, 0 of them NaN"):
        collect_scores([], [0.1])
    with pytest.raises(EvaluationError, match="Received: 2 and 1, 1 of them NaN"):
        collect_scores([0.1, np.nan], [0.1])
    one_view = make_part(np.eye(3), ["a", "b", "c"], ["dorsal"] * 3)
    with pytest.raises(EvaluationError, match="at least two people with both dorsal and palmar"):
        score_pairs(one_view)
