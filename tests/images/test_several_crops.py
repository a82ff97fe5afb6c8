"""Several crops of one photo in one picture: each is what it is alone, in its place."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.errors import ConfigError
from handnet.images.decode import cut_tiles, fit_photo, lay_tiles, shows_hand


@pytest.mark.parametrize(("num_crops", "side"), [(2, 2), (4, 2), (5, 3), (9, 3)])
def test_tiles_are_cut_as_they_were_laid(num_crops: int, side: int) -> None:
    config = ImageConfig(size_px=8 * side * 2, crop="several", crops=("none",) * num_crops, background=9)
    assert config.tiles_per_side == side
    tiles = [tf.fill((16, 16, 3), np.uint8(number)) for number in range(num_crops)]
    picture = lay_tiles(tiles, config)
    assert [int(tf.reduce_min(t)) for t in cut_tiles(picture, config)] == list(range(num_crops))
    assert [int(tf.reduce_max(t)) for t in cut_tiles(picture, config)] == list(range(num_crops))
    if num_crops < side * side:
        np.testing.assert_array_equal(picture[-16:, -16:], 9)


@pytest.mark.slow
def test_each_crop_is_what_it_is_alone() -> None:
    random = np.random.default_rng(0)
    photo = tf.constant(draw_hand_with_mask(sample_person(3, 0), "palmar", "left", random, (160, 120))[0])
    config = ImageConfig(size_px=128, fit="stretch", crop="several", crops=("hand-canonical", "none", "hand"))
    picture = fit_photo(photo, config)
    assert picture.dtype == tf.uint8
    for tile, crop in zip(cut_tiles(picture, config), config.crops, strict=True):
        alone = fit_photo(photo, ImageConfig(size_px=64, fit="stretch", crop=crop))
        np.testing.assert_array_equal(tile, alone)
    assert bool(shows_hand(picture, config))
    white = fit_photo(tf.fill((60, 80, 3), np.uint8(255)), config)
    assert not bool(shows_hand(white, config))


def test_crops_that_do_not_go_with_the_rest_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"goes with two or more `image\.crops`"):
        ImageConfig(crop="several", crops=("hand",))
    with pytest.raises(ConfigError, match=r"goes with two or more `image\.crops`"):
        ImageConfig(crop="hand", crops=("hand", "none"))
    with pytest.raises(ConfigError, match=r"must be a multiple of 2"):
        ImageConfig(size_px=65, crop="several", crops=("hand", "none"))
    with pytest.raises(ConfigError, match=r"value of image\.crops: 'hand-and-photo'"):
        ImageConfig(crop="several", crops=("hand", "hand-and-photo"))
