"""Synthetic people: measured lengths, nearly symmetric, each independent of the others."""

import numpy as np
import pytest

from handnet.data.synthetic import sample_person
from tests.data.synthetic.plain_photo import render


def test_left_hand_mirrors_the_right_but_for_a_small_asymmetry():
    between, within = [], []
    for index in range(100):
        person, other = sample_person(0, index), sample_person(0, index + 100)
        right, left = (np.array(person.shape(side).finger_lengths_mm) for side in ("right", "left"))
        within.append(np.abs(right - left).mean())
        between.append(np.abs(right - np.array(other.right.finger_lengths_mm)).mean())
    assert 0.1 < np.mean(within) < 0.25 * np.mean(between)
    _, right_hand = render(sample_person(0, 0), "dorsal", "right")
    _, left_hand = render(sample_person(0, 0), "dorsal", "left")
    overlap = np.minimum(right_hand, left_hand[:, ::-1]).sum() / np.maximum(right_hand, left_hand[:, ::-1]).sum()
    assert 0.9 < overlap < 0.9999


def test_fingers_are_as_long_as_measured_on_people():
    # Chatzıoglou et al. 2024: means and standard deviations of thumb, index, middle, ring and little finger.
    lengths = np.array([sample_person(1, k).right.finger_lengths_mm for k in range(1500)])
    np.testing.assert_allclose(lengths.mean(axis=0), [49.5, 63.9, 70.7, 65.5, 53.3], rtol=0.025)
    variation = lengths.std(axis=0) / lengths.mean(axis=0)
    assert (variation > 0.06).all()
    assert (variation < 0.095).all()


def test_people_differ_and_do_not_depend_on_each_other():
    shapes = np.array([sample_person(0, k).right.finger_lengths_mm for k in range(300)])
    gaps = np.abs(shapes[:, None] - shapes[None]).max(axis=-1) + 1e9 * np.eye(300)
    assert gaps.min() > 0.05
    assert sample_person(0, 7) == sample_person(0, 7)
    assert sample_person(0, 7) != sample_person(1, 7)
    assert {sample_person(0, k).skin_class for k in range(200)} == {"very fair", "fair", "medium", "dark"}
    assert sum(sample_person(0, k).ring is not None for k in range(400)) == pytest.approx(100, abs=30)
