"""Where a hand lies in its photo, and which way round."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from handnet.data.readers.hands11k import read_hands11k
from handnet.data.synthetic import draw_hand_with_mask, sample_person
from tests.data.synthetic.plain_photo import VIEW_SIDES, render
from tests.photos import find_real_data

# Fingers downwards: seen from the back, a right hand has its thumb at the right of the photo.
THUMB_AT = {
    ("dorsal", "right"): "right",
    ("dorsal", "left"): "left",
    ("palmar", "right"): "left",
    ("palmar", "left"): "right",
}


def find_thumb(mask: npt.NDArray[np.bool_]) -> str:
    """Return the side to which the hand is skewed about its long axis, fingertips left out: the side of the thumb."""
    regions, count = ndimage.label(mask)
    hand = regions == 1 + np.argmax(ndimage.sum(mask, regions, range(1, count + 1)))
    rows, columns = np.nonzero(hand)
    points = np.stack([columns - columns.mean(), rows - rows.mean()], axis=1)
    axis = np.linalg.eigh(np.cov(points.T))[1][:, 1]
    axis = axis * np.sign(axis[1])
    along, across = points @ axis, points @ (axis[1], -axis[0])
    palm = across[along < np.quantile(along, 0.8)]
    return "right" if ((palm - np.median(palm)) ** 3).mean() > 0 else "left"


@pytest.mark.parametrize(("view", "side"), VIEW_SIDES)
def test_thumb_is_on_the_side_that_anatomy_demands(view, side):
    for index in range(5):
        _, coverage = render(sample_person(3, index), view, side)
        assert find_thumb(coverage >= 0.5) == THUMB_AT[view, side]
    rng = np.random.default_rng(1)
    found = [find_thumb(draw_hand_with_mask(sample_person(3, 0), view, side, rng, (128, 96))[1]) for _ in range(20)]
    assert found.count(THUMB_AT[view, side]) >= 17


def test_real_photos_have_the_thumb_on_the_same_side():
    folder = find_real_data("hands11k-mini")
    examples = read_hands11k(folder).examples
    for view, side in VIEW_SIDES:
        votes = []
        for example in [e for e in examples if (e.view, e.side) == (view, side)][::3][:60]:
            red, _, blue = np.moveaxis(np.asarray(Image.open(example.path).convert("RGB"), np.int64), -1, 0)
            votes.append(find_thumb(red - blue > 25))
        assert len(votes) == 60
        assert votes.count(THUMB_AT[view, side]) >= 42, (view, side)


def test_palm_outline_mirrors_the_back_of_the_same_hand():
    for index in range(3):
        person = sample_person(4, index)
        _, back = render(person, "dorsal", "right")
        _, palm = render(person, "palmar", "right")
        np.testing.assert_allclose(back, palm[:, ::-1], atol=1e-4)


def test_the_whole_hand_is_in_the_photo():
    rng = np.random.default_rng(2)
    for k in range(60):
        view, side = VIEW_SIDES[k % 4]
        mask = draw_hand_with_mask(sample_person(0, k), view, side, rng, (96, 72))[1]
        assert not mask[-1].any()
        assert mask[:18].any(), "the hand comes from the top"
        assert 0.08 < mask.mean() < 0.6
