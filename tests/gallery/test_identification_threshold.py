"""The threshold keeps the rate that it promises, and what the calibration cannot carry is refused."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from handnet.errors import ConfigError, EvaluationError
from handnet.gallery.identification_threshold import (
    Compared,
    bootstrap_fpir,
    choose_threshold,
    describe_threshold,
    predict_fpir,
)
from handnet.gallery.pairings import PairingFit


def make_fit(scores: Sequence[Sequence[float]]) -> PairingFit:
    """A fit whose log ratio is the cosine; a square of probes and people, its diagonal empty."""
    impostors = np.array(scores, dtype=np.float32)
    np.fill_diagonal(impostors, np.nan)
    return PairingFit(1.0, 0.0, 0.1, 0.5, len(impostors), impostors, np.arange(len(impostors)))


def test_predicted_rate_is_the_share_of_galleries_that_name_somebody() -> None:
    generator = np.random.default_rng(3)
    scores = generator.normal(size=(6, 6)).astype(np.float32)
    fit = make_fit(scores.tolist())
    for num_people, threshold in itertools.product((1, 2, 4, 5), (-0.5, 0.3, 1.0)):
        # By enumeration of every gallery that can be drawn for every probe.
        named = []
        for probe in range(6):
            others = [scores[probe, person] for person in range(6) if person != probe]
            named += [max(drawn) >= np.float32(threshold) for drawn in itertools.combinations(others, num_people)]
        predicted = predict_fpir([Compared(fit, num_people)], threshold)
        assert predicted == pytest.approx(np.mean(named), abs=1e-9), (num_people, threshold)


def test_beyond_the_calibration_people_the_prediction_is_an_upper_bound() -> None:
    generator = np.random.default_rng(0)
    # Some probes look like everybody.
    scores = generator.normal(size=(40, 40)) + 1.5 * generator.normal(size=(40, 1))
    fit = make_fit(scores.tolist())
    known = np.isfinite(fit.impostors)
    share = np.mean(fit.impostors[known] >= 2.0)
    assert predict_fpir([Compared(fit, 200)], 2.0) == pytest.approx(1 - (1 - share) ** 200)
    assert predict_fpir([Compared(fit, 200)], 2.0) > predict_fpir([Compared(fit, 39)], 2.0)


def test_two_pairings_are_counted_together() -> None:
    one, two = make_fit([[0.0, 1.0], [0.0, 0.0]]), make_fit([[0.0, 0.0], [1.0, 0.0]])
    alone = predict_fpir([Compared(one, 1)], 0.5)
    assert alone == pytest.approx(0.5)
    assert predict_fpir([Compared(one, 1), Compared(two, 1)], 0.5) == pytest.approx(1 - 0.5 * 0.5)


def test_by_default_the_threshold_is_the_lowest_whose_best_estimate_is_the_rate() -> None:
    fit = make_fit(np.random.default_rng(1).normal(size=(100, 100)).tolist())
    compared = [Compared(fit, 10)]
    threshold = choose_threshold(compared, 0.1, "test")
    assert threshold.bound == "estimate"
    assert threshold.interval[0] < threshold.predicted <= 0.1 < threshold.interval[1]
    lower = fit.impostors[np.isfinite(fit.impostors) & (fit.impostors < threshold.log_ratio)].max()
    assert predict_fpir(compared, float(lower)) > 0.1
    assert choose_threshold(compared, 0.1, "test", bound="upper").log_ratio > threshold.log_ratio
    with pytest.raises(ConfigError, match="bound of the FPIR 'lower'.*estimate, upper"):
        choose_threshold(compared, 0.1, "test", bound="lower")


def test_threshold_by_the_upper_bound_is_the_lowest_whose_interval_ends_at_the_rate() -> None:
    generator = np.random.default_rng(1)
    fit = make_fit(generator.normal(size=(100, 100)).tolist())
    compared = [Compared(fit, 10)]
    threshold = choose_threshold(compared, 0.1, "test", bound="upper")
    assert threshold.interval[0] < threshold.predicted < threshold.interval[1] <= 0.1
    assert bootstrap_fpir(compared, np.nextafter(threshold.log_ratio, np.inf))[1] <= threshold.interval[1]
    lower = fit.impostors[np.isfinite(fit.impostors) & (fit.impostors < threshold.log_ratio)].max()
    assert bootstrap_fpir(compared, float(lower))[1] > 0.1


def test_a_rate_below_what_the_interval_leaves_open_is_refused() -> None:
    # The rule of three lets 4,950 pairs pass (3.3 of them would be wrong), the two-sided interval does not (3.69).
    fit = make_fit(np.random.default_rng(1).normal(size=(100, 100)).tolist())
    with pytest.raises(EvaluationError, match="even a threshold that names no calibration person has"):
        choose_threshold([Compared(fit, 150)], 0.1, "", bound="upper", num_replicates=50)


def test_beyond_the_calibration_people_the_interval_holds_what_no_pair_could_show() -> None:
    # Of 40 people no pair reaches the threshold, and 200 are enrolled: 3 of the 780 pairs could have.
    fit = make_fit(np.zeros((40, 40)).tolist())
    high = bootstrap_fpir([Compared(fit, 200)], 0.5)[1]
    assert high == pytest.approx(1 - (0.025 ** (1 / 780)) ** 200, abs=0.01)


def test_larger_galleries_and_lower_rates_need_higher_thresholds() -> None:
    fit = make_fit(np.random.default_rng(2).normal(size=(150, 150)).tolist())
    by_size = [choose_threshold([Compared(fit, n)], 0.1, "").log_ratio for n in (1, 10, 100)]
    assert by_size == sorted(by_size)
    assert len(set(by_size)) == 3
    by_rate = [choose_threshold([Compared(fit, 10)], rate, "").log_ratio for rate in (0.3, 0.1, 0.03)]
    assert by_rate == sorted(by_rate)


@pytest.mark.parametrize(
    ("num_people", "enrolled", "rate", "words"),
    [
        (20, 5, 0.01, "20 calibration people who are not enrolled cannot carry a rate of 1 %"),
        (40, 1000, 0.1, "pairs of calibration people, for 1,000 enrolled"),
        (20, 5, 5e-324, "more than can be counted"),
        (20, 5, 0.0, "between 0 and 1"),
        (20, 5, 1.5, "between 0 and 1"),
    ],
)
def test_a_rate_that_the_data_cannot_carry_is_refused(num_people: int, enrolled: int, rate: float, words: str) -> None:
    fit = make_fit(np.random.default_rng(0).normal(size=(num_people, num_people)).tolist())
    with pytest.raises(EvaluationError, match=words):
        choose_threshold([Compared(fit, enrolled)], rate, "")


def test_the_refusal_names_what_can_be_carried() -> None:
    fit = make_fit(np.random.default_rng(0).normal(size=(50, 50)).tolist())
    with pytest.raises(EvaluationError, match="The lowest that it carries is about 6%"):
        choose_threshold([Compared(fit, 5)], 0.01, "")
    assert choose_threshold([Compared(fit, 5)], 0.06, "").fpir == 0.06


def test_without_a_rate_the_lowest_that_is_carried_is_taken() -> None:
    fit = make_fit(np.random.default_rng(0).normal(size=(50, 50)).tolist())
    assert choose_threshold([Compared(fit, 5)], None, "").fpir == 0.1
    few = make_fit(np.random.default_rng(0).normal(size=(6, 6)).tolist())
    with pytest.raises(EvaluationError, match="Calibrate with more people"):
        choose_threshold([Compared(few, 5)], None, "")
    with pytest.raises(EvaluationError, match="Nobody is enrolled"):
        choose_threshold([Compared(fit, 0)], None, "")


def test_the_sentence_says_rate_interval_size_and_origin() -> None:
    fit = make_fit(np.random.default_rng(0).normal(size=(50, 50)).tolist())
    threshold = choose_threshold([Compared(fit, 7)], 0.1, "the run's validation people")
    text = describe_threshold(threshold)
    guess, low, high = (f"{100 * rate:.2g}" for rate in (threshold.predicted, *threshold.interval))
    for part in (
        f"false positives about {guess} % (95 % interval {low} to {high} %)",
        "with 7 who are",
        "best estimate for 10 %",
        "50 calibration people",
        "the run's validation people",
    ):
        assert part in text
    bounded = choose_threshold([Compared(fit, 7)], 0.2, "", bound="upper")
    assert "so that the interval ends at 20 % at most" in describe_threshold(bounded)


def _draw_people(generator: np.random.Generator, count: int, width: int = 48) -> np.ndarray:
    """Draw (people, 2 photos, width): backs and palms; some people look like everybody."""
    person = generator.normal(size=(count, 1, width)) * generator.uniform(0.6, 1.4, size=(count, 1, 1))
    vectors = 0.5 + person + 0.8 * generator.normal(size=(count, 2, width))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=2, keepdims=True), dtype=np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_calibration", "enrolled", "rate"),
    # The bootstrap alone is too narrow for nearly as many enrolled as calibration people: 16 of 20 draws.
    [(47, 22, 0.1), (47, 46, 0.2), (100, 200, 0.25)],
    ids=["fewer than calibrated", "as many as calibrated", "more than calibrated"],
)
def test_rate_of_held_out_people_lies_in_the_promised_interval(
    num_calibration: int, enrolled: int, rate: float
) -> None:
    generator = np.random.default_rng(7)
    num_trials, inside, above = 20, 0, 0
    rates, predicted = [], []
    for _ in range(num_trials):
        calibration = _draw_people(generator, num_calibration)
        fit = make_fit((calibration[:, 0] @ calibration[:, 1].T).tolist())
        compared = [Compared(fit, enrolled)]
        threshold = choose_threshold(compared, rate, "", num_replicates=100)
        gallery, strangers = _draw_people(generator, enrolled)[:, 1], _draw_people(generator, 1000)[:, 0]
        best = (strangers @ gallery.T).max(axis=1)
        measured = float(np.mean(best >= threshold.log_ratio))
        rates.append(measured)
        predicted.append(threshold.predicted)
        inside += threshold.interval[0] <= measured <= threshold.interval[1]
        bounded = choose_threshold(compared, 2 * rate, "", bound="upper", num_replicates=100)
        above += float(np.mean(best >= bounded.log_ratio)) > 2 * rate
    # A 95 % interval; 1,000 strangers leave one point of noise, and the gallery itself is drawn too.
    assert inside >= 0.9 * num_trials, (inside, rates)
    assert above <= 0.1 * num_trials, (above, rates)
    assert 0.6 * np.mean(predicted) < np.mean(rates) < 1.6 * np.mean(predicted)


def test_interval_is_wide_where_nobody_was_named() -> None:
    # No impostor reaches the threshold: the interval must not say "0 to 0".
    fit = make_fit(np.zeros((30, 30)).tolist())
    low, high = bootstrap_fpir([Compared(fit, 5)], 0.5)
    assert low == 0.0
    assert 0.02 < high < 0.2
