"""Creases and veins."""

import numpy as np
import numpy.typing as npt

from handnet.data.synthetic import sample_person
from handnet.data.synthetic.grid import sample_grid
from handnet.data.synthetic.lines import draw_creases
from handnet.data.synthetic.person import Person
from handnet.data.synthetic.placement import Placement
from handnet.data.synthetic.skeleton import pose_hand
from tests.data.synthetic.plain_photo import FLAT


def test_creases_stay_with_the_hand_and_differ_between_hands_and_people():
    hand = pose_hand(sample_person(0, 0).right, FLAT)
    place = Placement(1.5, 0.0, (128.0, 10.0), 1)
    grid = sample_grid(place, (0, 0, 256, 192), 0.5)

    def creases(person: Person, side: str) -> npt.NDArray[np.floating]:
        return draw_creases(hand, person.detail_rng(side, "palmar"), grid, lambda points: points * 3.0 + (256.0, 20.0))

    first = creases(sample_person(0, 0), "right")
    assert 0.4 < first.max() <= 1.0
    np.testing.assert_array_equal(first, creases(sample_person(0, 0), "right"))
    for other in (creases(sample_person(0, 0), "left"), creases(sample_person(0, 1), "right")):
        assert np.corrcoef(first.ravel(), other.ravel())[0, 1] < 0.5
