"""The verdict on a photo of a hand: levels, the order of reasons, and values that make no sense."""

import math

import pytest

from handnet.images.hand.findings import CUT_OFF, NONE, ONE, SEVERAL
from handnet.images.hand.quality_rule import (
    GOOD,
    LIMITS,
    REFUSE,
    USABLE,
    Limit,
    rate_measure,
    rate_measures,
    rate_photo,
)

BEST = {name: limit.good for name, limit in LIMITS.items()}


def test_a_photo_of_which_nothing_is_wrong_is_good():
    assert rate_measures(BEST) == (GOOD, 1.0, ())


@pytest.mark.parametrize("name", LIMITS)
def test_each_measure_alone_makes_a_photo_usable_and_then_useless(name):
    limit = LIMITS[name]
    between = rate_measures(BEST | {name: 0.75 * limit.refuse + 0.25 * limit.good})
    assert between.level == USABLE
    assert between.quality == pytest.approx(0.25)
    assert between.reasons == (limit.words,)
    beyond = rate_measures(BEST | {name: limit.refuse - 0.1 * (limit.good - limit.refuse)})
    assert beyond == (REFUSE, 0.0, (limit.words,))


def test_the_worst_measure_decides_and_is_named_first():
    blurred, dark = LIMITS["sharpness"], LIMITS["brightness"]
    verdict = rate_measures(BEST | {"brightness": (dark.refuse + dark.good) / 2, "sharpness": blurred.refuse})
    assert verdict == (REFUSE, 0.0, (blurred.words, dark.words))


def test_a_low_value_may_be_the_better_one_and_no_number_is_the_worst():
    limit = Limit(0.5, 0.1, "")
    assert [rate_measure(value, limit) for value in (0.0, 0.3, 0.9, math.nan)] == pytest.approx([1.0, 0.5, 0.0, 0.0])


def test_a_photo_without_one_hand_is_refused_whatever_its_measures_say():
    assert rate_photo("empty file", NONE, {}) == (REFUSE, 0.0, ("empty file",))
    assert rate_photo("", NONE, BEST) == (REFUSE, 0.0, ("no hand was found",))
    assert rate_photo("", SEVERAL, BEST).reasons == ("several hands: photograph one at a time",)
    assert [rate_photo("", finding, BEST).level for finding in (ONE, CUT_OFF)] == [GOOD, GOOD]
