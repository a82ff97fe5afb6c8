"""Who is the most similar to whom."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.closest_people import find_closest_people
from handnet.metrics.embedded import make_part
from tests.metrics.test_protocols import draw_hands


def test_the_most_similar_other_people_by_templates() -> None:
    # Backs of a at 0°, of b at 90°; palms of a at 30°, of b at 80° and 100°, of c, who has no backs, at 20°.
    degrees = np.deg2rad([0, 90, 30, 80, 100, 20])
    part = make_part(
        np.stack([np.cos(degrees), np.sin(degrees)], axis=1),
        ["a", "b", "a", "b", "b", "c"],
        ["dorsal", "dorsal", *["palmar"] * 4],
    )
    a, b = find_closest_people(part, max_people=9)
    assert (a.person, a.row, a.place, a.num_people) == ("a", 0, 2, 3)
    assert (a.own.row, a.own.similarity) == (2, pytest.approx(np.cos(np.deg2rad(30))))
    assert [(other.person, other.row) for other in a.others] == [("c", 5), ("b", 3)]
    assert [other.similarity for other in a.others] == pytest.approx([np.cos(np.deg2rad(20)), 0.0], abs=1e-6)
    assert (b.person, b.place, b.own.similarity) == ("b", 1, pytest.approx(1.0))
    assert [other.person for other in b.others] == ["a", "c"]
    # Of more people than are wanted, those with the least lead.
    (hardest,) = find_closest_people(part, max_people=1)
    assert hardest == a
    assert a.lead < 0 < b.lead


def test_in_blocks_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    part = draw_hands(num_people=9)
    whole = find_closest_people(part, max_people=5)
    monkeypatch.setattr("handnet.metrics.closest_people._BLOCK_CELLS", 20)
    assert find_closest_people(part, max_people=5) == whole
    assert len(whole) == 5
    assert all(len({closest.person, *(other.person for other in closest.others)}) == 6 for closest in whole)


def test_one_person_has_nobody_to_be_similar_to() -> None:
    part = make_part(np.eye(2), ["a", "a"], ["dorsal", "palmar"])
    with pytest.raises(EvaluationError, match="at least two people"):
        find_closest_people(part, max_people=5)
