"""Synthetic hands on other grounds than paper: the hand is the same, and so is a photo drawn twice."""

import numpy as np
from scipy import ndimage

from handnet.data.synthetic import draw_hand_with_mask, draw_photo, sample_person

SIZE_PX = (160, 120)


def test_the_same_hand_lies_on_paper_and_on_other_grounds():
    person, ground = sample_person(1, 0), np.zeros((120, 160, 3), np.uint8)
    paper, mask = draw_hand_with_mask(person, "dorsal", "left", np.random.default_rng(2), SIZE_PX)
    black, same = draw_hand_with_mask(person, "dorsal", "left", np.random.default_rng(2), SIZE_PX, ground)
    assert np.array_equal(mask, same)
    inside, outside = (ndimage.binary_erosion(m, iterations=4, border_value=1) for m in (mask, ~mask))
    # What shines through at gaps between fingers is no hand.
    assert np.mean(np.abs(paper[inside].astype(int) - black[inside].astype(int)) <= 2) > 0.98
    assert np.median(black[outside]) < 12 < 200 < np.median(paper[outside])


def test_a_photo_on_a_drawn_ground_is_drawn_the_same_again():
    draws = [
        draw_photo(1, sample_person(1, 0), "dorsal", "left", 0, SIZE_PX, on_grounds=on) for on in (True, True, False)
    ]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
