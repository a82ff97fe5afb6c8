"""Synthetic people and photos: anatomy, chirality, what is shared by the views and what is not, exact masks."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from handnet.data.readers.hands11k import read_hands11k
from handnet.data.synthetic import draw_batch, draw_hand, draw_hand_with_mask, draw_photo, sample_person
from handnet.data.synthetic.camera import Scene
from handnet.data.synthetic.grid import sample_grid
from handnet.data.synthetic.lines import draw_creases
from handnet.data.synthetic.person import Person, Ring
from handnet.data.synthetic.photo import render_photo
from handnet.data.synthetic.placement import Placement, compute_mirror
from handnet.data.synthetic.skeleton import Pose, pose_hand
from handnet.errors import DataError
from tests.photos import find_real_data

VIEW_SIDES = [("dorsal", "right"), ("dorsal", "left"), ("palmar", "right"), ("palmar", "left")]
# Fingers downwards: seen from the back, a right hand has its thumb at the right of the photo.
THUMB_AT = {
    ("dorsal", "right"): "right",
    ("dorsal", "left"): "left",
    ("palmar", "right"): "left",
    ("palmar", "left"): "right",
}
FLAT = Pose((0.0,) * 5, (0.0,) * 5, (1.0,) * 5, 0.0, None)
PLAIN = Scene(
    light=(0.0, 0.0, 1.0),
    ambient=0.6,
    exposure=1.0,
    white_balance=(1.0, 1.0, 1.0),
    contrast=1.0,
    background=(250.0, 250.0, 250.0),
    shading=(0.0, 0.0),
    shadow=0.0,
    shadow_mm=(0.0, 0.0, 1.0),
    blur_fraction=0.0,
    noise=0.0,
    sleeve_color=(0.0, 0.0, 0.0),
)
SIZE = (256, 192)


def render(person: Person, view: str, side: str, scene: Scene = PLAIN, pose: Pose = FLAT, scale: float = 0.85):
    hand = pose_hand(person.shape(side), pose)
    place = Placement(scale, 0.0, (SIZE[0] / 2, 10.0), compute_mirror(view, side))
    return render_photo(person, view, side, hand, place, scene, SIZE, np.random.default_rng(0))


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


def test_middle_fingertip_lies_where_the_lengths_put_it():
    person = sample_person(0, 2)
    straight = replace(person.right, finger_bends_deg=(0.0,) * 5, nail_overhang_mm=0.0, fan_deg=0.0)
    _, coverage = render(replace(person, right=straight), "dorsal", "right")
    tip_row = np.flatnonzero((coverage >= 0.5).any(axis=1))[-1]
    # At rest the middle finger points half a degree from straight: its cosine is 1.
    expected = 10.0 + 0.85 * (straight.palm_length_mm + straight.finger_lengths_mm[2])
    assert abs(tip_row + 1 - expected) < 1.0


def test_people_differ_and_do_not_depend_on_each_other():
    shapes = np.array([sample_person(0, k).right.finger_lengths_mm for k in range(300)])
    gaps = np.abs(shapes[:, None] - shapes[None]).max(axis=-1) + 1e9 * np.eye(300)
    assert gaps.min() > 0.05
    assert sample_person(0, 7) == sample_person(0, 7)
    assert sample_person(0, 7) != sample_person(1, 7)
    assert {sample_person(0, k).skin_class for k in range(200)} == {"very fair", "fair", "medium", "dark"}
    assert sum(sample_person(0, k).ring is not None for k in range(400)) == pytest.approx(100, abs=30)


def test_ring_shows_in_both_views_of_its_hand_alone():
    ring = Ring("left", 3, 0.15, 4.0, (212, 175, 95), 0.0)
    bare, ringed = (replace(sample_person(0, 1), ring=worn) for worn in (None, ring))
    for view, side in VIEW_SIDES:
        changed = np.abs(render(bare, view, side)[0].astype(int) - render(ringed, view, side)[0]).max() > 30
        assert changed == (side == "left")


def test_polish_shows_on_the_back_and_beyond_the_tips_on_the_palm():
    plain = replace(sample_person(0, 1), polish=None)
    polished = replace(plain, polish=(178, 24, 42))
    area = {
        view: (
            np.abs(render(plain, view, "right")[0].astype(int) - render(polished, view, "right")[0]).max(2) > 40
        ).sum()
        for view in ("dorsal", "palmar")
    }
    assert area["dorsal"] > 150
    assert area["palmar"] < 0.35 * area["dorsal"]


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


def test_skin_tone_is_shared_by_the_views():
    tone = {}
    for view in ("dorsal", "palmar"):
        tones = []
        for index in range(12):
            photo, coverage = render(sample_person(0, index), view, "right")
            tones.append(photo[coverage > 0.99].mean())
        tone[view] = tones
    assert np.corrcoef(tone["dorsal"], tone["palmar"])[0, 1] > 0.9


@pytest.mark.parametrize(("view", "side"), VIEW_SIDES)
def test_mask_is_exactly_where_the_paper_does_not_show(view, side):
    # What shows of the paper is the difference of two photos on different paper, divided by the difference of the papers.
    person = sample_person(6, 1)
    bright, coverage = render(person, view, side)
    dark, _ = render(person, view, side, replace(PLAIN, background=(50.0, 50.0, 50.0)))
    paper_share = (bright.astype(np.float64) - dark).mean(axis=-1) / 200.0
    np.testing.assert_allclose(1.0 - paper_share, coverage, atol=0.01)


def test_mask_of_a_random_photo_is_its_hand_without_the_sleeve():
    person = sample_person(6, 2)
    pose = replace(FLAT, sleeve_mm=0.0)
    _, bare = render(person, "dorsal", "right")
    photo, coverage = render(person, "dorsal", "right", pose=pose)
    assert coverage[:8].max() < 0.02
    np.testing.assert_allclose(coverage[14:], bare[14:], atol=1e-6)
    assert photo[2, 128].max() == 0
    photo, mask = draw_hand_with_mask(person, "palmar", "left", np.random.default_rng(5), SIZE)
    assert (photo.shape, photo.dtype) == ((192, 256, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((192, 256), np.bool_)
    np.testing.assert_array_equal(draw_hand(person, "palmar", "left", np.random.default_rng(5), SIZE), photo)


def test_outline_does_not_depend_on_the_size_of_the_photo():
    person = sample_person(6, 3)
    small = draw_hand_with_mask(person, "dorsal", "left", np.random.default_rng(9), (128, 96))[1]
    large = draw_hand_with_mask(person, "dorsal", "left", np.random.default_rng(9), (512, 384))[1]
    share = large.reshape(96, 4, 128, 4).mean(axis=(1, 3)) >= 0.5
    assert (small & share).sum() / (small | share).sum() > 0.97


def test_the_whole_hand_is_in_the_photo():
    rng = np.random.default_rng(2)
    for k in range(60):
        view, side = VIEW_SIDES[k % 4]
        mask = draw_hand_with_mask(sample_person(0, k), view, side, rng, (96, 72))[1]
        assert not mask[-1].any()
        assert mask[:18].any(), "the hand comes from the top"
        assert 0.08 < mask.mean() < 0.6


def test_photos_of_a_person_differ_and_repeat():
    person = sample_person(0, 0)
    photos = [draw_photo(0, person, view, side, k, (64, 48)) for view, side in VIEW_SIDES for k in range(3)]
    assert len({photo.tobytes() for photo in photos}) == 12
    np.testing.assert_array_equal(draw_photo(0, person, "dorsal", "right", 2, (64, 48)), photos[2])
    assert not np.array_equal(draw_photo(1, person, "dorsal", "right", 2, (64, 48)), photos[2])


def test_batch_holds_the_single_photos_letterboxed():
    batch = draw_batch(0, [5, 9], [0, 1], [1, 0], [2, 3], side_px=64, background=200)
    assert (batch.shape, batch.dtype) == ((2, 64, 64, 3), np.uint8)
    np.testing.assert_array_equal(batch[0, 8:56], draw_photo(0, sample_person(0, 5), "dorsal", "right", 2, (64, 48)))
    np.testing.assert_array_equal(batch[1, 8:56], draw_photo(0, sample_person(0, 9), "palmar", "left", 3, (64, 48)))
    assert (batch[:, :8] == 200).all()
    assert (batch[:, 56:] == 200).all()


def test_wrong_arguments_are_named():
    person, rng = sample_person(0, 0), np.random.default_rng(0)
    with pytest.raises(DataError, match=r"Unknown view 'dorsl'. Did you mean 'dorsal'\?"):
        draw_hand(person, "dorsl", "left", rng)
    with pytest.raises(DataError, match="Unknown side 'both'"):
        draw_hand(person, "dorsal", "both", rng)
    with pytest.raises(DataError, match=r"at least 24 each way. Received: size_px=\(256, 10\)"):
        draw_hand(person, "dorsal", "left", rng, (256, 10))
    with pytest.raises(DataError, match=r"of one length. Received: \[2, 1, 1, 1\]"):
        draw_batch(0, [0, 1], [0], [0], [0])


def test_raw_pixels_find_few_people():
    # Letterboxed 32×32 grey photos, averaged per person and view, compared by cosine: 41 people, chance 1/41.
    people = np.arange(41)
    templates = []
    for view in (0, 1):
        who = np.repeat(people, 4)
        photos = draw_batch(7, who, np.full(164, view), np.tile([0, 1], 82), np.tile([0, 0, 1, 1], 41), 48)
        grey = [np.asarray(Image.fromarray(p).convert("L").resize((32, 32), Image.Resampling.BOX)) for p in photos]
        mean = np.array(grey, np.float64).reshape(41, 4, -1).mean(axis=1)
        templates.append(mean / np.linalg.norm(mean, axis=1, keepdims=True))
    hits = (templates[0] @ templates[1].T).argmax(axis=1) == people
    assert hits.sum() <= 8


def test_the_same_hand_lies_on_paper_and_on_other_grounds():
    ground = np.zeros((120, 160, 3), np.uint8)
    person, size_px = sample_person(1, 0), (160, 120)
    paper, mask = draw_hand_with_mask(person, "dorsal", "left", np.random.default_rng(2), size_px)
    black, same = draw_hand_with_mask(person, "dorsal", "left", np.random.default_rng(2), size_px, ground)
    assert np.array_equal(mask, same)
    inside = ndimage.binary_erosion(mask, iterations=4)
    assert np.abs(paper[inside].astype(int) - black[inside].astype(int)).max() <= 12
    assert black[-4:, :4].mean() < 12 < 200 < paper[-4:, :4].mean()
    drawn = draw_photo(1, person, "dorsal", "left", 0, size_px, on_grounds=True)
    assert not np.array_equal(drawn, draw_photo(1, person, "dorsal", "left", 0, size_px))
    assert np.array_equal(drawn, draw_photo(1, person, "dorsal", "left", 0, size_px, on_grounds=True))
