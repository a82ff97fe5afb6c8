"""Photos that TensorFlow does not decode."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handnet.images.pillow_decode import decode_with_pillow, prepare_for_graph, read_for_graph
from tests.photos import grey_picture, picture, write_exif_jpeg, write_image, write_jpeg, write_pgm


@pytest.mark.parametrize("format_name", ["TIFF", "PPM"])
def test_lossless_formats_are_decoded_exactly(format_name: str, tmp_path: Path) -> None:
    file = write_image(tmp_path / "x", format_name, "RGB")
    np.testing.assert_array_equal(decode_with_pillow(file.read_bytes()), picture())


def test_grey_of_8_and_of_16_bits_become_three_equal_channels(tmp_path: Path) -> None:
    for highest in (255, 65535):
        pixels = decode_with_pillow(write_pgm(tmp_path / "x.pgm", highest=highest).read_bytes())
        assert pixels.shape == (48, 64, 3)
        assert np.abs(pixels.astype(int) - grey_picture()[..., None]).max() <= 1


def test_a_photo_is_turned_upright(tmp_path: Path) -> None:
    pixels = decode_with_pillow(write_exif_jpeg(tmp_path / "x.jpg", 6).read_bytes())
    assert np.abs(pixels.astype(int) - picture()).mean() < 2


def test_damage_of_any_kind_is_one_kind_of_error(tmp_path: Path) -> None:
    whole = write_image(tmp_path / "x", "TIFF", "RGB").read_bytes()
    for contents in (b"", whole[:200], whole[: len(whole) // 2], b"II*\0" + bytes(100)):
        with pytest.raises(ValueError, match=r"\S"):
            decode_with_pillow(contents)


def test_the_graph_gets_its_own_formats_as_they_are_and_others_as_png(tmp_path: Path) -> None:
    jpeg = write_jpeg(tmp_path / "a.jpg")
    assert read_for_graph(str(jpeg)) == jpeg.read_bytes()
    png = read_for_graph(str(write_image(tmp_path / "b", "TIFF", "RGB")))
    assert Image.open(io.BytesIO(png)).format == "PNG"
    with pytest.raises(OSError, match="gone"):
        read_for_graph(str(tmp_path / "gone"))


def test_any_photo_becomes_what_the_graph_decodes_or_has_a_reason(tmp_path: Path) -> None:
    jpeg, webp = write_jpeg(tmp_path / "a.jpg").read_bytes(), write_image(tmp_path / "b", "WEBP", "RGB").read_bytes()
    assert prepare_for_graph(jpeg) == (jpeg, "")
    png, problem = prepare_for_graph(webp)
    assert problem == ""
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), decode_with_pillow(webp))
    for bad, reason in ((b"", "empty"), (webp[: len(webp) // 2], "damaged"), (jpeg[:700], "truncated")):
        contents, problem = prepare_for_graph(bad)
        assert contents == bad
        assert reason in problem
