"""Which pairing compares what, and what each is calibrated on."""

import json

import numpy as np
import pytest

from handnet.errors import EvaluationError, GalleryError
from handnet.gallery.pairings import (
    MIN_PEOPLE,
    Matching,
    Pairing,
    check_people,
    fit_matching,
    list_pairings,
    matching_from_json,
    matching_to_json,
)
from handnet.gallery.records import HandKind
from tests.gallery.simulated import WIDTH, draw_vector, fit_simulated

LEFT_BACK, LEFT_PALM, RIGHT_PALM = HandKind("dorsal", "left"), HandKind("palmar", "left"), HandKind("palmar", "right")


def test_each_pairing_has_a_curve_of_its_own(matching: Matching) -> None:
    assert len(matching.fits) == 4 * 3 * 2
    slopes = {(fit.slope, fit.intercept) for fit in matching.fits.values()}
    assert len(slopes) == len(matching.fits)
    same = matching.fits[Pairing("dorsal-palmar", "same", "one")]
    other = matching.fits[Pairing("dorsal-palmar", "other", "one")]
    assert same.equal_error_rate < other.equal_error_rate - 0.02, "a left hand tells less of a right one"
    assert same.num_people == 60


@pytest.mark.parametrize(
    ("probe", "template", "num_photos", "expected"),
    [
        (LEFT_BACK, LEFT_PALM, 1, Pairing("dorsal-palmar", "same", "one")),
        (LEFT_PALM, LEFT_BACK, 3, Pairing("dorsal-palmar", "same", "several")),
        (LEFT_PALM, LEFT_PALM, 2, Pairing("palmar-palmar", "same", "several")),
        (LEFT_BACK, RIGHT_PALM, 1, Pairing("dorsal-palmar", "other", "one")),
        (LEFT_BACK, HandKind("palmar", ""), 1, Pairing("dorsal-palmar", "unknown", "one")),
        (HandKind("", "left"), LEFT_PALM, 1, Pairing("any", "same", "one")),
        (HandKind("", ""), HandKind("", ""), 9, Pairing("any", "unknown", "several")),
    ],
)
def test_photo_and_template_choose_the_pairing(
    matching: Matching, probe: HandKind, template: HandKind, num_photos: int, expected: Pairing
) -> None:
    found = matching.find(probe, template, num_photos)
    assert found is not None
    assert found[0] == expected


def test_a_left_hand_is_never_scored_as_a_right_one(matching: Matching) -> None:
    fits = {pairing: fit for pairing, fit in matching.fits.items() if pairing.hands != "other"}
    without = Matching(fits, {}, "")
    assert without.find(LEFT_BACK, RIGHT_PALM, 1) is None
    assert without.find(LEFT_BACK, LEFT_PALM, 1) is not None


def test_missing_pairing_falls_back_on_one_that_holds_it(matching: Matching) -> None:
    several = Pairing("palmar-palmar", "same", "several")
    fits = {pairing: fit for pairing, fit in matching.fits.items() if pairing != several}
    found = Matching(fits, {}, "").find(LEFT_PALM, LEFT_PALM, 4)
    assert found is not None
    assert found[0] == Pairing("palmar-palmar", "same", "one")
    fits = {pairing: fit for pairing, fit in matching.fits.items() if pairing.hands == "unknown"}
    found = Matching(fits, {}, "").find(LEFT_PALM, LEFT_PALM, 4)
    assert found is not None
    assert found[0] == Pairing("palmar-palmar", "unknown", "several")


def test_impostors_are_cosines_of_different_people_on_the_wanted_hands() -> None:
    people = [str(person) for person in range(8) for _ in range(4)]
    rows = [(person, view, side) for person in range(8) for view in ("dorsal", "palmar") for side in ("left", "right")]
    vectors = np.stack([draw_vector(*row) for row in rows])
    fitted = fit_matching(vectors, people, [HandKind(view, side) for _, view, side in rows])
    fit = fitted.fits[Pairing("dorsal-palmar", "same", "one")]
    assert fit.impostors.shape == (8 * 4, 8)
    assert np.isnan(fit.impostors[np.arange(32), fit.probe_people]).all(), "one's own is no impostor"
    assert np.isfinite(fit.impostors).sum() == 32 * 7
    by_row = dict(zip(rows, vectors, strict=True))
    expected = {
        round(float(by_row[a, probe, side] @ by_row[b, view, side]), 5)
        for a in range(8)
        for b in range(8)
        if a != b
        for side in ("left", "right")
        for probe, view in (("dorsal", "palmar"), ("palmar", "dorsal"))
    }
    assert {round(float(value), 5) for value in fit.impostors[np.isfinite(fit.impostors)]} == expected


def test_log_ratio_is_calibrated_on_other_people(matching: Matching) -> None:
    fit = matching.fits[Pairing("palmar-palmar", "other", "one")]
    left = np.stack([draw_vector(person, "palmar", "left") for person in range(300)])
    right = np.stack([draw_vector(person, "palmar", "right") for person in range(300)])
    ratios = fit.compute_log_ratio(left @ right.T)
    same, different = np.diagonal(ratios), ratios[~np.eye(300, dtype=bool)]
    # Of pairs that are said to be one person's with probability p, equal numbers of both kinds, about p are.
    for low, high in ((-1.0, 0.0), (0.0, 1.0), (1.0, 2.0)):
        a, b = np.mean((same >= low) & (same < high)), np.mean((different >= low) & (different < high))
        assert a / (a + b) == pytest.approx(1 / (1 + np.exp(-(low + high) / 2)), abs=0.12)


def test_too_few_people_are_refused_in_words() -> None:
    vectors = np.stack([draw_vector(person, view) for person in range(3) for view in ("dorsal", "palmar")])
    kinds = [HandKind(view, "") for _ in range(3) for view in ("dorsal", "palmar")]
    with pytest.raises(EvaluationError, match=f"3 people have such pairs, and it takes {MIN_PEOPLE}"):
        fit_matching(vectors, ["0", "0", "1", "1", "2", "2"], kinds)
    with pytest.raises(EvaluationError, match="0 people have such pairs"):
        fit_matching(np.zeros((0, 4), np.float32), [], [])
    # As soon as it is known whose photos they are.
    for people, why in ((["0", "0", "1", "1", "2"], "2 people have such pairs"), ([], "there are no photos")):
        with pytest.raises(EvaluationError, match=why):
            check_people(people)
    check_people([*"0123401234"])


def test_what_cannot_be_fitted_is_said() -> None:
    fitted = fit_simulated(8, shots=1)
    assert "dorsal-dorsal, the same hand, template of one" in fitted.refused
    assert "0 people" in fitted.refused["dorsal-dorsal, the same hand, template of one"]
    assert Pairing("dorsal-palmar", "same", "one") in fitted.fits


def test_without_sides_no_pairing_speaks_of_hands() -> None:
    assert {pairing.hands for pairing in list_pairings(np.array(["dorsal"]), np.array([""]))} == {"unknown"}
    fitted = fit_simulated(8, sees=False)
    assert {pairing.views for pairing in fitted.fits} == {"any"}


def test_matching_survives_json(matching: Matching) -> None:
    again = matching_from_json(json.loads(json.dumps(matching_to_json(matching), allow_nan=False)))
    assert again.fits.keys() == matching.fits.keys()
    assert again.origin == "60 simulated people"
    for pairing, fit in matching.fits.items():
        other = again.fits[pairing]
        assert (other.slope, other.intercept, other.equal_error_rate) == (
            fit.slope,
            fit.intercept,
            fit.equal_error_rate,
        )
        np.testing.assert_array_equal(other.impostors, fit.impostors)
        np.testing.assert_array_equal(other.probe_people, fit.probe_people)


def test_damaged_matching_is_one_line(matching: Matching) -> None:
    value = matching_to_json(matching)
    del value["fits"][0]["slope"]
    with pytest.raises(GalleryError, match="calibration cannot be read"):
        matching_from_json(value)


def test_equal_seeds_give_equal_fits() -> None:
    first, second = fit_simulated(10, width=WIDTH), fit_simulated(10, width=WIDTH)
    assert matching_to_json(first) == matching_to_json(second)


def test_too_few_people_to_calibrate_with_are_one_short_line() -> None:
    with pytest.raises(EvaluationError) as caught:
        fit_simulated(3)
    assert "3 people have such pairs, and it takes 5" in str(caught.value)
    assert "--data DIR" in str(caught.value)
    assert len(str(caught.value)) < 300
