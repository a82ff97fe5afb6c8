"""Format and size by the first bytes, compared with what Pillow wrote."""

import struct
from io import BytesIO

import pytest
from PIL import Image

from handnet.data.photo_headers import SIZE_READERS, count_gif_pixels, sniff_format


def write(format_name: str, **options: object) -> bytes:
    target = BytesIO()
    Image.new("RGB", (40, 30), (200, 100, 50)).save(target, format_name, **options)
    return target.getvalue()


@pytest.mark.parametrize("format_name", [*SIZE_READERS, "PPM", "TIFF", "WEBP"])
def test_format_is_told_by_the_first_bytes(format_name: str) -> None:
    assert sniff_format(write(format_name)) == format_name
    assert sniff_format(b"") == sniff_format(b"%PDF-1.7") == ""


@pytest.mark.parametrize("format_name", SIZE_READERS)
def test_size_is_what_the_header_says(format_name: str) -> None:
    contents = write(format_name)
    assert SIZE_READERS[format_name](contents) == (40, 30)
    with pytest.raises((IndexError, struct.error)):
        SIZE_READERS[format_name](contents[:8])


def test_all_frames_of_a_gif_count() -> None:
    more = [Image.new("RGB", (40, 30), (shade, 0, 0)) for shade in (50, 250)]
    frames, pixels = count_gif_pixels(write("GIF", save_all=True, append_images=more))
    assert frames == 3
    assert 40 * 30 < pixels <= 3 * 40 * 30
