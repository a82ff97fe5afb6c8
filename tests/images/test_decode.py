import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.config.settings import ImageConfig
from handnet.data.checks import find_header_problem
from handnet.images.decode import decode, load_photo, orient, read_orientation
from handnet.images.header_guard import has_usable_header
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

# Refused by their header, before the decoder sees them: see tests/datasets/test_checks.py.
UNDECODABLE = sorted(set(UNUSABLE) - {"palette-bmp", "gif-bomb", "jpeg-bomb", "png-bomb", "webp"})


def read(path: Path) -> tf.Tensor:
    return tf.constant(path.read_bytes())


@pytest.mark.parametrize("kind", sorted(USABLE))
def test_every_usable_file_shows_the_picture_upright(kind: str, tmp_path: Path) -> None:
    path = USABLE[kind](tmp_path / "photo")
    photo = orient(decode(read(path), WIDTH_PX), read_orientation(read(path))).numpy()
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


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_both_byte_orders_among_other_entries(byte_order: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x010F] = "maker"
    exif[0x0112] = orientation
    exif[0x0131] = "software"
    contents = read(write_jpeg(tmp_path / "photo", exif=exif))
    assert int(read_orientation(contents)) == orientation


@pytest.mark.parametrize(
    "damage",
    [
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        b"Exif\x00\x00MM\x00*\xff\xff\xff\xff",
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff",
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x63\x00\x00\x00",
        b"",
    ],
)
def test_damaged_exif_is_upright(damage: bytes) -> None:
    assert int(read_orientation(tf.constant(b"\xff\xd8\xff\xe1\x00\x40" + damage))) == 1


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


def test_the_same_in_a_graph_and_eagerly(tmp_path: Path) -> None:
    config = ImageConfig(size_px=32)
    contents = read(USABLE["exif-6-jpeg"](tmp_path / "photo"))
    in_graph = tf.function(lambda c: load_photo(c, config))(contents)
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


PGM_HEADERS = (
    b"P5 3 2 255 ",
    b"P5\n3 2\n255\n",
    b"P5\t3\r\n2\x0b255\x0c",
    b"P5 # 9 9 9\n3 #\r2 255 ",
    b"P5 000003 2 200\n",
    b"P5 3 2 255",
    b"P5 3 2",
    b"P5# a\n3 2 255 ",
    b"P5 3# a\n2 255 ",
    b"P5 3 2 255# a\n",
    b"P5 3,2 255 ",
    b"P5 -3 2 255 ",
    b"P53 2 255 ",
    b"P5 0000003 2 255 ",
    b"P5 3 0 255 ",
    b"P5 3 2 0 ",
    b"P5 3 2 256 ",
    b"P5 3 2 65535 ",
    b"P5 999999 999999 255 ",
    b"P5 #" + b"x" * 230 + b"\n3 2 255 ",
    b"P5 #" + b"x" * 300 + b"\n3 2 255 ",
)


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("header", PGM_HEADERS)
def test_pgm_is_judged_alike_within_and_outside_of_the_graph(header: bytes, missing: int) -> None:
    raster = bytes([0, 10, 35, 100, 150, 200])
    contents = header + raster[: 6 - missing]
    reason = find_header_problem(contents)
    assert bool(has_usable_header(tf.constant(contents))) == (not reason)
    if reason:
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(tf.constant(contents), 32)
        return
    photo = decode(tf.constant(contents), 32).numpy()
    expected = np.asarray(Image.open(io.BytesIO(contents)))
    assert photo.shape == (2, 3, 3)
    assert (photo == expected[..., None]).all()
    assert expected[0].tolist() == ([0, 10, 35] if b"200" not in header else [0, 13, 45])


def test_real_faces_in_grey() -> None:
    path = find_real_data("orl_faces") / "s1" / "1.pgm"
    assert (decode(read(path), 96).numpy() == np.asarray(Image.open(path))[..., None]).all()


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
