"""Hands laid on other grounds: the hand stays, the paper goes, and photos without a hand on paper are left alone."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.config.augmentation import NO_AUGMENTATION, AugmentConfig
from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.data.synthetic.grounds import GROUNDS, draw_ground
from handnet.errors import ConfigError, DataError
from handnet.images import backgrounds
from handnet.images.augment import DRAWS, NUM_FIRST_DRAWS, augment_batch
from handnet.images.backgrounds import collect_grounds, lay_on_grounds

SIZE_PX = 96
ALWAYS = dataclasses.replace(NO_AUGMENTATION, background_probability=1.0)


@pytest.fixture(scope="module")
def hand():
    """A synthetic hand on paper, float32 (1, 96, 96, 3), and its mask."""
    photo, mask = draw_hand_with_mask(
        sample_person(1, 2), "dorsal", "left", np.random.default_rng(3), (SIZE_PX, SIZE_PX)
    )
    return photo[np.newaxis].astype(np.float32), mask


@pytest.fixture
def few(monkeypatch):
    """Few drawn grounds, which take less time."""
    monkeypatch.setattr(backgrounds, "NUM_DRAWN", 3)
    collect_grounds.cache_clear()
    yield
    collect_grounds.cache_clear()


def lay(images, pool, number=0.0, chosen=True):
    draws = tuple(tf.fill((len(images),), value) for value in (number, 0.0, 0.0, 0.0))
    return lay_on_grounds(tf.constant(images), tf.fill((len(images),), chosen), draws, pool).numpy()


def test_the_hand_stays_and_the_paper_becomes_the_ground(hand):
    photo, mask = hand
    pool = np.zeros((1, 144, 144, 3), np.uint8) + np.array([0, 200, 40], np.uint8)
    laid = lay(photo, pool)[0]
    rows, columns = np.nonzero(mask)
    middle = (rows > rows.min() + 8) & mask[rows, columns]
    changed = np.abs(laid - photo[0]).max(-1)
    assert np.mean(changed[rows[middle], columns[middle]] < 1.0) > 0.85
    corners = laid[-6:, [0, 1, 2, -3, -2, -1]]
    assert np.all(corners == [0, 200, 40])
    assert np.array_equal(lay(photo, pool, chosen=False), photo)


def test_a_photo_without_a_hand_on_paper_is_not_changed():
    blank = np.full((1, SIZE_PX, SIZE_PX, 3), 250.0, np.float32)
    pool = np.zeros((1, 144, 144, 3), np.uint8)
    assert np.array_equal(lay(blank, pool), blank)


def test_draws_choose_the_ground_and_its_part(hand):
    pool = np.zeros((2, 144, 144, 3), np.uint8)
    pool[1] = np.arange(144, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    photo = hand[0]
    assert lay(photo, pool, 0.49)[0, -1, 0].tolist() == [0, 0, 0]
    assert lay(photo, pool, 0.51)[0, -1, 0].tolist() == [95, 95, 95]
    assert lay(photo, pool, 1.0)[0, -1, 0].tolist() == [95, 95, 95]


def test_grounds_of_every_kind_are_drawn_and_a_folders_photos_join_them(few, tmp_path):
    for kind, draw in GROUNDS.items():
        drawn = draw(np.random.default_rng(0), (90, 120))
        assert drawn.shape == (90, 120, 3), kind
        assert np.clip(drawn, 0, 255).std() > 1.0, kind
    assert draw_ground(np.random.default_rng(0), (480, 900)).shape == (480, 900, 3)
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (60, 40), (10, 20, 30)).save(tmp_path / "deep" / "table.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    pool = collect_grounds(str(tmp_path), 32)
    assert pool.shape == (4, 48, 48, 3)
    assert np.all(pool[-1] == (10, 20, 30))
    assert np.array_equal(pool[:3], collect_grounds("", 32))


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_folder_without_photos_is_one_line(few, tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="augment.background_folder"):
        collect_grounds(str(tmp_path / name), 32)


@pytest.mark.slow
def test_augmentation_lays_hands_on_grounds_in_a_graph(few, hand):
    images = tf.constant(np.repeat(hand[0], 3, axis=0))
    change = tf.function(lambda seed: augment_batch(images, tf.zeros(3, tf.int32), seed, ALWAYS)[0], autograph=False)
    laid = change(tf.constant([1, 2])).numpy()
    assert np.array_equal(laid, change(tf.constant([1, 2])).numpy())
    assert not np.array_equal(laid, change(tf.constant([1, 3])).numpy())
    # On paper both lower corners are nearly white.
    assert hand[0][0, -1, [0, -1]].min() > 180
    assert laid[:, -8:].std() > 10


def test_other_augmentations_of_a_seed_stay_what_they_were():
    seed, config = tf.constant([4, 2]), dataclasses.replace(NO_AUGMENTATION, brightness_probability=1.0)
    images = tf.fill((2, 8, 8, 3), 100.0)
    changed = augment_batch(images, tf.zeros(2, tf.int32), seed, config)[0].numpy()
    first = tf.random.stateless_uniform((2, NUM_FIRST_DRAWS), seed, alg="philox").numpy()
    amount = first[:, DRAWS.index("brightness_factor")]
    assert changed[:, 0, 0, 0] == pytest.approx(100 * (1 + (2 * amount - 1) * config.brightness_fraction), abs=0.01)


def test_the_probability_is_checked():
    with pytest.raises(ConfigError, match="background_probability"):
        AugmentConfig(background_probability=1.5)
