"""A posed hand."""

from dataclasses import replace

import numpy as np

from handnet.data.synthetic import sample_person
from tests.data.synthetic.plain_photo import render


def test_middle_fingertip_lies_where_the_lengths_put_it():
    person = sample_person(0, 2)
    straight = replace(person.right, finger_bends_deg=(0.0,) * 5, nail_overhang_mm=0.0, fan_deg=0.0)
    _, coverage = render(replace(person, right=straight), "dorsal", "right")
    tip_row = np.flatnonzero((coverage >= 0.5).any(axis=1))[-1]
    # At rest the middle finger points half a degree from straight: its cosine is 1.
    expected = 10.0 + 0.85 * (straight.palm_length_mm + straight.finger_lengths_mm[2])
    assert abs(tip_row + 1 - expected) < 1.0
