"""Calibration against known truths, scikit-learn and the definitions written out."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from handnet.errors import EvaluationError
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import (
    Calibration,
    compute_cllr,
    compute_ece,
    compute_probability,
    fit_calibration,
    load_calibration,
    save_calibration,
    summarize_calibration,
)
from handnet.metrics.pairs.pair_list import collect_pairs
from tests.metrics.pairs.lists import collect_scores


def draw_gaussian_scores(num=4000, gap=0.3, spread=0.15):
    """Two normal kinds of equal spread: the true log-likelihood ratio is linear in the score."""
    generator = np.random.default_rng(0)
    return generator.normal(gap, spread, num), generator.normal(0, spread, 3 * num)


def draw_people(seed, num_people=60, photos=3, noise=0.8):
    generator = np.random.default_rng(seed)
    people = np.repeat([f"{seed}-{i}" for i in range(num_people)], 2 * photos)
    centres = np.repeat(generator.normal(size=(num_people, 8)), 2 * photos, axis=0)
    vectors = centres + noise * generator.normal(size=centres.shape)
    views = np.tile(["dorsal", "palmar"], num_people * photos)
    return make_part(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), people, views)


def draw_listed_pairs(num_people, num_pairs, seed=0):
    """Scores, labels and people of a list of pairs, half of them genuine, of few people who are in many pairs."""
    generator = np.random.default_rng(seed)
    first = generator.integers(num_people, size=num_pairs)
    same = np.arange(num_pairs) % 2 == 0
    second = np.where(same, first, (first + generator.integers(1, num_people, size=num_pairs)) % num_people)
    scores = np.clip(0.3 * same + 0.2 * generator.normal(size=num_pairs), -1, 1)
    return scores, same, np.stack([first, second], axis=1).astype(str)


def test_a_list_of_pairs_is_calibrated_on_its_people_and_not_on_its_pairs():
    scores, same, people = draw_listed_pairs(num_people=30, num_pairs=1100)
    pairs = collect_pairs(scores, same, people)
    calibration = fit_calibration(pairs)
    assert (calibration.num_people, calibration.num_genuine, calibration.num_impostor) == (30, 550, 550)
    assert pairs.num_person_pairs <= 30 * 29 // 2
    # 550 genuine pairs of 30 people do not carry what takes 50 people.
    assert calibration.isotonic_similarities == ()
    enough = fit_calibration(collect_pairs(*draw_listed_pairs(num_people=60, num_pairs=1100)))
    assert (enough.num_people, len(enough.isotonic_similarities) > 0) == (60, True)


def test_the_order_of_a_list_of_pairs_does_not_matter():
    scores, same, people = draw_listed_pairs(num_people=12, num_pairs=80)
    order = np.random.default_rng(1).permutation(80)
    whole, shuffled = (fit_calibration(collect_pairs(scores[i], same[i], people[i])) for i in (slice(None), order))
    assert shuffled.slope == pytest.approx(whole.slope, rel=1e-6)
    assert shuffled.equal_error_threshold == whole.equal_error_threshold


def test_logistic_finds_the_true_likelihood_ratio():
    genuine, impostor = draw_gaussian_scores()
    calibration = fit_calibration(collect_scores(genuine, impostor))
    assert calibration.slope == pytest.approx(0.3 / 0.15**2, rel=0.05)
    assert calibration.intercept == pytest.approx(-0.5 * 0.3**2 / 0.15**2, rel=0.05)
    assert compute_probability(calibration, 0.15) == pytest.approx(0.5, abs=0.02)
    # Bayes: at prior 0.1 and a likelihood ratio of 9 the probability is one half.
    similarity = (np.log(9) - calibration.intercept) / calibration.slope
    assert compute_probability(calibration, similarity, prior=0.1) == pytest.approx(0.5)


def test_logistic_equals_scikit_learn():
    genuine, impostor = draw_gaussian_scores(num=500)
    calibration = fit_calibration(collect_scores(genuine, impostor))
    scores, labels = np.r_[genuine, impostor], np.r_[np.ones(500), np.zeros(1500)]
    weights = np.r_[np.full(500, 3.0), np.ones(1500)]
    other = LogisticRegression(C=1e9).fit(scores[:, None], labels, weights)
    assert calibration.slope == pytest.approx(
        other.coef_[0, 0], rel=0.02
    )  # ours has smoothed targets and binned impostors
    assert calibration.intercept == pytest.approx(other.intercept_[0], rel=0.02)


def test_each_person_weighs_the_same():
    # Person a has 98 pairs at 0.9, person b two at 0.1; impostors at 0.1. Each weighs a half: at 0.1 the odds are 1 to 2.
    pairs = collect_scores([0.1] * 2 + [0.9] * 98, [0.1] * 1000)
    calibration = fit_calibration(pairs._replace(genuine_people=np.array(["b"] * 2 + ["a"] * 98)))
    by_pairs = fit_calibration(pairs)
    assert compute_probability(by_pairs, 0.1) < 0.05
    # Two people draw the target of a genuine pair in to 3/4: 0.25 · 3/4 of 0.75.
    assert compute_probability(calibration, 0.1) == pytest.approx(0.25, abs=0.01)


def test_separable_scores_keep_a_finite_slope():
    calibration = fit_calibration(collect_scores([0.8, 0.9, 0.85], [0.1, 0.2, 0.0]))
    assert 0 < calibration.slope < 100
    assert 0.6 < compute_probability(calibration, 0.9) < 0.95


def test_scores_worse_than_chance_say_nothing():
    calibration = fit_calibration(collect_scores([0.1, 0.2], [0.8, 0.9]))
    assert (calibration.slope, float(compute_probability(calibration, 0.9))) == (0, 0.5)


def test_a_collapsed_model_says_nothing():
    calibration = fit_calibration(collect_scores([1.0, 0.99999994], [1.0, 1.0, 0.99999994]))
    assert (calibration.slope, calibration.intercept) == (0, 0)


def test_isotonic_equals_scikit_learn_where_people_are_enough():
    pairs = score_pairs(draw_people(1))
    calibration = fit_calibration(pairs)
    assert len(calibration.isotonic_similarities) > 5
    assert np.all(np.diff(calibration.isotonic_probabilities) >= 0)
    centres = (np.arange(4000) + 0.5) / 2000 - 1
    scores = np.r_[pairs.genuine, centres]
    weights = np.r_[np.full(len(pairs.genuine), 1 / len(pairs.genuine)), pairs.impostor_histogram / pairs.num_impostor]
    labels = np.r_[np.ones(len(pairs.genuine)), np.zeros(4000)]
    other = IsotonicRegression(out_of_bounds="clip").fit(scores[weights > 0], labels[weights > 0], weights[weights > 0])
    at = np.linspace(-0.5, 0.95, 40)
    ours = compute_probability(calibration, at, method="isotonic")
    assert np.abs(ours - np.clip(other.predict(at), 1 / 62, 61 / 62)).mean() < 0.03  # steps here, lines between there


def test_isotonic_is_refused_for_few_people():
    calibration = fit_calibration(score_pairs(draw_people(1, num_people=20)))
    assert calibration.isotonic_similarities == ()
    with pytest.raises(EvaluationError, match="no isotonic curve: its validation people were too few"):
        compute_probability(calibration, 0.5, method="isotonic")


def test_cllr_by_hand():
    assert compute_cllr([0.0], [0.0, 0.0]) == pytest.approx(1)  # says nothing
    assert compute_cllr([50.0], [-50.0]) == pytest.approx(0, abs=1e-12)
    # log2(1 + 1/3) and log2(1 + 1/3): a likelihood ratio of 3 the right way, each time.
    assert compute_cllr([np.log(3)], [-np.log(3)]) == pytest.approx(np.log2(4 / 3))
    assert compute_cllr([-np.log(3)], [np.log(3)]) == pytest.approx(2)
    assert compute_cllr([0.0], [0.0, 5.0], weights=[1, 0]) == pytest.approx(1)


def test_ece_by_hand():
    # Bin .2-.3: mean .25, none right: .25 × 2/4. Bin .9-1: mean .95, all right: .05 × 2/4.
    assert compute_ece([0.2, 0.3 - 1e-9, 0.95, 0.95], [0, 0, 1, 1]) == pytest.approx((0.25 + 0.05) / 2)
    assert compute_ece([1.0, 0.0], [1, 0]) == 0
    assert compute_ece([0.95, 0.05], [0, 0], weights=[1, 3]) == pytest.approx((0.95 + 3 * 0.05) / 4)


def test_summary_equals_the_definitions_on_all_pairs():
    calibration, part = fit_calibration(score_pairs(draw_people(1))), draw_people(2, num_people=25)
    pairs = score_pairs(part)
    figures = summarize_calibration(calibration, part, pairs, num_replicates=200)
    dorsal, palmar = part.select(part.views == "dorsal"), part.select(part.views == "palmar")
    similarities = (dorsal.embeddings @ palmar.embeddings.T).astype(float)
    same = dorsal.identities[:, None] == palmar.identities
    ratios = calibration.slope * similarities + calibration.intercept
    assert figures["cllr"] == pytest.approx(compute_cllr(ratios[same], ratios[~same]), abs=1e-3)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum()).ravel()
    assert figures["ece"] == pytest.approx(compute_ece(expit(ratios).ravel(), same.ravel(), weights), abs=2e-3)
    assert 0 < figures["min_cllr"] <= figures["cllr"] < 1
    for name in ("cllr", "ece"):
        low, high = figures["interval"][name]
        assert low <= figures[name] * 1.05
        assert high >= figures[name] * 0.95
    assert figures["isotonic"]["cllr"] < 1
    assert sum(row["share"] for row in figures["reliability"]) == pytest.approx(1)
    for row in figures["reliability"]:
        assert row["interval"][0] <= row["fraction"] <= row["interval"][1]
    json.dumps(figures, allow_nan=False)


def test_min_cllr_of_separated_scores_is_zero():
    generator = np.random.default_rng(0)
    people = np.repeat([f"p{i}" for i in range(10)], 4)
    vectors = np.repeat(np.eye(10), 4, axis=0) + 0.01 * generator.normal(size=(40, 10))
    part = make_part(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), people, ["dorsal", "palmar"] * 20)
    pairs = score_pairs(part)
    figures = summarize_calibration(fit_calibration(pairs), part, pairs, num_replicates=50)
    assert figures["min_cllr"] == pytest.approx(0, abs=1e-9)
    assert figures["isotonic"]["refused"].startswith("10 validation people cannot carry")


def test_a_calibration_survives_saving(tmp_path):
    calibration = fit_calibration(score_pairs(draw_people(1)))
    save_calibration(tmp_path / "run" / "calibration.json", calibration)
    assert load_calibration(tmp_path / "run" / "calibration.json") == calibration
    plain = Calibration(9.5, -4.0, 0.4, 0.6)
    save_calibration(tmp_path / "c.json", plain)
    assert load_calibration(tmp_path / "c.json") == plain


@pytest.mark.parametrize("what", ["absent", "text", "other", "list", "field", "nan", "lengths", "type"])
def test_bad_calibration_files_are_named(tmp_path, what):
    path = tmp_path / "calibration.json"
    values = {"kind": "handnet calibration 1", **dataclasses.asdict(Calibration(1.0, 2.0, 0.1, 0.2))}
    match what:
        case "text":
            path.write_text("{")
        case "other":
            path.write_text(json.dumps({"kind": "x"}))
        case "list":
            path.write_text("[]")
        case "field":
            path.write_text(json.dumps(values | {"more": 1}))
        case "nan":
            path.write_text(json.dumps(values | {"slope": float("nan")}))
        case "lengths":
            path.write_text(json.dumps(values | {"isotonic_similarities": [0.1]}))
        case "type":
            path.write_text(json.dumps(values | {"slope": [1]}))
    with pytest.raises(
        EvaluationError, match=r"calibration\.json cannot be read as a calibration: .*Evaluate the run again"
    ):
        load_calibration(path)


def test_bad_settings_are_named():
    with pytest.raises(EvaluationError, match=r"`prior` must be between 0 and 1\. Received: 1"):
        compute_probability(Calibration(1.0, 0.0, 0.0, 0.0), 0.3, prior=1)
    with pytest.raises(EvaluationError, match="`method` must be logistic or isotonic. Received: 'platt'"):
        compute_probability(Calibration(1.0, 0.0, 0.0, 0.0), 0.3, method="platt")
    assert compute_probability(Calibration(2.0, -1.0, 0.0, 0.0), [0.5, 1.0]).tolist() == [0.5, expit(1.0)]
    assert logit(compute_probability(Calibration(2.0, 0.0, 0, 0), 0.25, 0.2)) == pytest.approx(0.5 + np.log(0.25))
