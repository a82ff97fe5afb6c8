from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.config.image import ImageConfig
from handnet.images.decode import load_photo, read_photo
from tests.photos import (
    HEIGHT_PX,
    UNUSABLE,
    USABLE,
    WIDTH_PX,
    find_real_data,
    grey_picture,
    picture,
    write_jpeg,
    write_png,
)

# Refused by their header, before the decoder sees them: see tests/data/test_checks.py.
UNDECODABLE = sorted(set(UNUSABLE) - {"gif-bomb", "jpeg-bomb", "png-bomb"})


def read(path: Path) -> tf.Tensor:
    return tf.constant(path.read_bytes())


@pytest.mark.parametrize("kind", sorted(USABLE))
def test_every_usable_file_shows_the_picture_upright(kind: str, tmp_path: Path) -> None:
    path = USABLE[kind](tmp_path / "photo")
    photo = read_photo(read(path), ImageConfig(size_px=WIDTH_PX)).numpy()
    expected = np.repeat(grey_picture()[..., None], 3, axis=2) if "grey" in kind else picture()
    if "palette" in kind:
        expected = np.asarray(Image.open(path).convert("RGB"))
    assert photo.shape == (HEIGHT_PX, WIDTH_PX, 3)
    # GIF and CMYK lose some levels; a turn or a swap of channels would differ by tens.
    allowed = 8 if "gif" in kind or "cmyk" in kind else 3
    assert np.abs(photo.astype(int) - expected).mean() < allowed


@pytest.mark.parametrize("kind", UNDECODABLE)
def test_a_file_that_is_no_whole_photo_fails(kind: str, tmp_path: Path) -> None:
    contents = read(UNUSABLE[kind](tmp_path / "photo"))
    with pytest.raises(tf.errors.InvalidArgumentError):
        load_photo(contents, ImageConfig(size_px=32))


def test_letterbox_keeps_the_whole_photo_in_the_middle(tmp_path: Path) -> None:
    pixels = np.zeros((30, 60, 3), np.uint8)
    photo = load_photo(read(write_jpeg(tmp_path / "photo", pixels)), ImageConfig(size_px=40, background=200)).numpy()
    assert photo.shape == (40, 40, 3)
    assert photo.dtype == np.uint8
    assert (photo[:10] == 200).all()
    assert (photo[30:] == 200).all()
    assert photo[10:30].max() <= 2


def test_stretch_fills_and_center_crop_cuts(tmp_path: Path) -> None:
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[:, 50:150] = 0
    contents = read(write_jpeg(tmp_path / "photo", pixels))
    stretched = load_photo(contents, ImageConfig(size_px=80, fit="stretch")).numpy()[..., 0]
    assert [round(float(v) / 255) for v in stretched[40, [5, 40, 75]]] == [1, 0, 1]
    cropped = load_photo(contents, ImageConfig(size_px=80, fit="center-crop")).numpy()
    assert cropped.max() < 60, "the white ends are cut off"


@pytest.mark.parametrize("size_px", [48, 96, 224])
def test_scaled_decoding_agrees_with_the_full_decoding(size_px: int) -> None:
    for path in sorted((find_real_data("hands11k-fullres") / "Hands").glob("*.jpg"))[:6]:
        photo = load_photo(read(path), ImageConfig(size_px=size_px)).numpy().astype(float)
        full = Image.open(path)
        height = round(full.height * size_px / full.width)
        expected = np.asarray(full.resize((size_px, height), Image.Resampling.BILINEAR, reducing_gap=None), float)
        top = (size_px - height) // 2
        difference = np.abs(photo[top : top + height] - expected)
        assert difference.mean() < 1.0, f"{path.name}: mean difference {difference.mean():.2f} of 255"
        assert np.quantile(difference, 0.99) < 8, f"{path.name}: 99 % quantile {np.quantile(difference, 0.99):.1f}"


@pytest.mark.slow
def test_the_same_in_a_graph_and_eagerly(tmp_path: Path) -> None:
    config = ImageConfig(size_px=32)
    contents = read(USABLE["exif-6-jpeg"](tmp_path / "photo"))
    in_graph = tf.function(lambda c: load_photo(c, config), autograph=False)(contents)
    assert (in_graph.numpy() == load_photo(contents, config).numpy()).all()


@pytest.mark.parametrize("crop", ["hand", "hand-upright", "hand-canonical"])
def test_a_cropped_hand_is_centred_on_the_background(crop: str, tmp_path: Path) -> None:
    pixels = np.full((90, 120, 3), 235, np.uint8)
    # A palm with a finger, dark on light, off the middle.
    pixels[:50, 70:100] = (150, 100, 80)
    pixels[50:75, 80:88] = (150, 100, 80)
    config = ImageConfig(size_px=64, crop=crop)
    photo = load_photo(read(write_jpeg(tmp_path / "photo", pixels)), config).numpy().astype(int)
    is_hand = photo.sum(axis=2) < 600
    assert (photo[~is_hand] > 150).all()
    rows, columns = np.nonzero(is_hand)
    assert len(rows) > 300, "the hand is there"
    assert abs((columns.min() + columns.max()) / 2 - 31.5) < 8
    assert abs((rows.min() + rows.max()) / 2 - 31.5) < 8
    fingertip_is_up = is_hand[:20].sum() < is_hand[44:].sum()
    assert fingertip_is_up == (crop != "hand"), "the photo shows the finger pointing down"


def test_the_middle_is_the_middle_half(tmp_path: Path) -> None:
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[20:60, 30:90] = 255
    contents = read(write_png(tmp_path / "photo", pixels, 2))
    photo = load_photo(contents, ImageConfig(size_px=48, crop="middle", fit="stretch")).numpy()
    assert (photo == 255).all()
    pixels[19, :] = pixels[:, 29] = 200
    wider = load_photo(
        read(write_png(tmp_path / "photo", pixels, 2)), ImageConfig(size_px=48, crop="middle", fit="stretch")
    )
    assert (wider.numpy() == 255).all(), "nothing outside of it shows"
