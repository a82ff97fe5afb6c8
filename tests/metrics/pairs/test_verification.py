"""Verification against scikit-learn, brute force over all pairs, and fractions derived by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn import metrics

from handnet.errors import EvaluationError
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.pair_intervals import bin_pairs, bootstrap_pairs, choose_edges
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


def draw_scores(seed, ties):
    generator = np.random.default_rng(seed)
    genuine, impostor = generator.normal(0.4, 0.2, 70), generator.normal(0.1, 0.2, 900)
    if ties:
        genuine, impostor = np.round(genuine, 1), np.round(impostor, 1)
    return np.clip(genuine, -1, 1).astype(np.float32), np.clip(impostor, -1, 1).astype(np.float32)


def label(genuine, impostor):
    return np.r_[np.ones(len(genuine)), np.zeros(len(impostor))], np.r_[genuine, impostor]


def brute_force(part):
    dorsal, palmar = part.select(part.views == "dorsal"), part.select(part.views == "palmar")
    similarities = dorsal.embeddings @ palmar.embeddings.T
    same = dorsal.identities[:, None] == palmar.identities
    return similarities[same], similarities[~same]


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


def test_streamed_pairs_equal_all_pairs(monkeypatch):
    monkeypatch.setattr("handnet.metrics.pairs.all_pairs._BLOCK_CELLS", 40)
    part = make_part(*draw_part(np.random.default_rng(2), num_people=12))
    genuine, impostor = brute_force(part)
    pairs = score_pairs(part, [0.25])
    assert (len(pairs.genuine), pairs.num_impostor) == (len(genuine), len(impostor))
    np.testing.assert_allclose(pairs.genuine, np.sort(genuine), atol=1e-6)
    assert pairs.impostor_histogram.sum() == len(impostor)
    truth, scores = label(genuine, impostor)
    assert compute_auc(build_curve(pairs)) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-6)
    at = dict(zip(pairs.thresholds.tolist(), pairs.impostors_at.tolist(), strict=True))
    assert at[0.25] == (impostor >= 0.25).sum()
    # The last person has dorsal photos only: 11 people with both views, 55 pairs, and 11 with the last person.
    assert (pairs.num_people, pairs.num_person_pairs) == (12, 66)
    for person in set(pairs.genuine_people):
        dorsal, palmar = (((part.identities == person) & (part.views == view)).sum() for view in ("dorsal", "palmar"))
        assert (pairs.genuine_people == person).sum() == dorsal * palmar


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
    assert "820 pairs cannot carry a rate of 0.001: by the rule of three it takes 3,000" in refuse_rate(
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


def test_binned_pairs_are_the_pairs_of_every_two_people():
    part = make_part(*draw_part(np.random.default_rng(6), num_people=7))
    edges = np.array([-0.2, 0.1, 0.5], np.float32)
    genuine, impostor = bin_pairs(part, edges)
    a, b = (part.identities == "p01") & (part.views == "dorsal"), (part.identities == "p03") & (part.views == "palmar")
    scores = (part.embeddings[a] @ part.embeddings[b].T).ravel()
    expected = [
        (scores < -0.2).sum(),
        ((scores >= -0.2) & (scores < 0.1)).sum(),
        ((scores >= 0.1) & (scores < 0.5)).sum(),
    ]
    assert impostor[1, 3].tolist() == [*expected, (scores >= 0.5).sum()]
    assert impostor[2, 2].sum() == 0
    same, different = brute_force(part)
    assert (genuine.sum(), impostor.sum()) == (len(same), len(different))


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
        interval = bootstrap_pairs(part, pairs, figures, {"t": 0.5}, num_replicates=300, seed=trial)
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


def test_bad_scores_are_named():
    with pytest.raises(EvaluationError, match="Received: 0 and 1, 0 of them NaN"):
        collect_scores([], [0.1])
    with pytest.raises(EvaluationError, match="Received: 2 and 1, 1 of them NaN"):
        collect_scores([0.1, np.nan], [0.1])
    one_view = make_part(np.eye(3), ["a", "b", "c"], ["dorsal"] * 3)
    with pytest.raises(EvaluationError, match="at least two people with both dorsal and palmar"):
        score_pairs(one_view)
