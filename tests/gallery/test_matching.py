"""From hits to probabilities, and several photos of one hand together."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.gallery.identification_threshold import Threshold
from handnet.gallery.index import Hits
from handnet.gallery.matching import combine_hits, rank_people
from handnet.gallery.pairings import Pairing
from handnet.gallery.records import Person

PAIRING = Pairing("dorsal-palmar", "same", "one")


def make_hits(ratios: dict[str, float], num_compared: int | None = None) -> Hits:
    order = sorted(ratios, key=lambda name: -ratios[name])
    values = np.array([ratios[name] for name in order])
    people = [Person(name, f"name of {name}", "now") for name in order]
    return Hits(people, values, values / 10, [PAIRING] * len(order), num_compared or len(order))


def make_threshold(log_ratio: float) -> Threshold:
    return Threshold(log_ratio, 0.1, "estimate", 0.1, (0.05, 0.2), 3, 40, "test")


def test_probabilities_follow_bayes() -> None:
    # Three enrolled, prior 1/2: odds a : b : c : nobody = 8/6 : 2/6 : 1/6 : 1/2 = 8 : 2 : 1 : 3.
    hits = make_hits({"a": np.log(8), "b": np.log(2), "c": 0.0})
    matches, nobody = rank_people(hits, make_threshold(1.0), num_people=3, top=3, prior=0.5)
    assert [match.probability for match in matches] == pytest.approx([8 / 14, 2 / 14, 1 / 14])
    assert nobody == pytest.approx(3 / 14)
    assert [match.accepted for match in matches] == [True, False, False]
    assert [match.rank for match in matches] == [1, 2, 3]
    assert matches[0].name == "name of a"


def test_prior_moves_the_answer() -> None:
    hits = make_hits({"a": np.log(8), "b": 0.0})
    # Odds a : b : nobody = 0.9 · 8 / 2 : 0.9 / 2 : 0.1.
    matches, nobody = rank_people(hits, None, num_people=2, top=1, prior=0.9)
    assert matches[0].probability == pytest.approx(3.6 / 4.15)
    assert nobody == pytest.approx(0.1 / 4.15)
    assert not matches[0].accepted
    for prior in (0.0, 1.0, -1.0):
        with pytest.raises(EvaluationError, match="prior"):
            rank_people(hits, None, num_people=2, top=1, prior=prior)


def test_people_beyond_the_list_and_those_who_cannot_be_compared_count() -> None:
    # 10 enrolled, 6 compared, 2 listed: 4 count as the last listed one, 4 keep their prior.
    hits = make_hits({"a": np.log(20), "b": np.log(0.5)}, num_compared=6)
    matches, nobody = rank_people(hits, None, num_people=10, top=2, prior=0.5)
    total = 0.5 + 0.05 * (20 + 0.5 + 4 * 0.5 + 4)
    assert matches[0].probability == pytest.approx(0.05 * 20 / total)
    assert nobody == pytest.approx(0.5 / total)


def test_extreme_ratios_do_not_overflow() -> None:
    matches, nobody = rank_people(make_hits({"a": 5000.0, "b": -5000.0}), None, num_people=2, top=2, prior=0.5)
    assert matches[0].probability == pytest.approx(1.0)
    assert nobody == 0.0
    assert matches[1].probability == 0.0


def test_nobody_enrolled_is_nobody() -> None:
    matches, nobody = rank_people(make_hits({}, 0), None, num_people=0, top=5, prior=0.5)
    assert matches == ()
    assert nobody == 1.0


def test_photos_together_have_the_mean_ratio() -> None:
    both = combine_hits([make_hits({"a": 4.0, "b": 1.0}), make_hits({"b": 5.0, "a": 0.0, "c": 2.5})])
    assert [person.id for person in both.people] == ["b", "c", "a"]
    assert list(both.log_ratios) == [3.0, 2.5, 2.0]
    assert both.num_compared == 3
