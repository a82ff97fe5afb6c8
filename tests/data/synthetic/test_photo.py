"""Synthetic photos: exact masks, repeatable, and too varied for raw pixels."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from handnet.data.synthetic import draw_batch, draw_hand, draw_hand_with_mask, draw_photo, sample_person
from handnet.errors import DataError
from tests.data.synthetic.plain_photo import FLAT, PLAIN, SIZE, VIEW_SIDES, render


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
    with pytest.raises(DataError, match=r"the same length. Received: \[2, 1, 1, 1\]"):
        draw_batch(0, [0, 1], [0], [0], [0])


@pytest.mark.slow
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
