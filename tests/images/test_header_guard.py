"""The check of a photo's header inside the graph."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from handnet.data import photo_headers
from handnet.data.checks import find_header_problem, needs_pillow
from handnet.images.header_guard import count_gif_pixels, has_usable_header
from tests.photos import BY_PILLOW, UNUSABLE, USABLE

NAMES = [name for pair in zip(USABLE, UNUSABLE, strict=False) for name in pair] + list(USABLE)[len(UNUSABLE) :]


@pytest.mark.parametrize("name", [*USABLE, *BY_PILLOW, *UNUSABLE])
def test_the_header_is_judged_as_before_training(name: str, photos: Mapping[str, Path]) -> None:
    contents = photos[name].read_bytes()
    try:
        usable = bool(has_usable_header(tf.constant(contents)))
    except tf.errors.InvalidArgumentError:
        usable = False
    assert usable == (not find_header_problem(contents) and not needs_pillow(contents))


@pytest.mark.parametrize("name", ["animated-gif", "truncated-gif", "gif-bomb"])
def test_the_pixels_of_a_gif_are_counted_as_before_training(name: str, photos: Mapping[str, Path]) -> None:
    contents = photos[name].read_bytes()
    assert int(count_gif_pixels(tf.constant(contents))) == photo_headers.count_gif_pixels(contents)[1] > 0


def test_the_pixels_of_random_gifs_are_counted_as_before_training() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        contents = b"GIF89a" + rng.integers(0, 256, 7, dtype=np.uint8).tobytes()
        contents += bytes(3 * 2 ** ((contents[10] & 7) + 1)) if contents[10] & 128 else b""
        for _ in range(rng.integers(0, 6)):
            size = rng.integers(0, 3000, 2).astype("<u2").tobytes()
            contents += b"," + bytes(4) + size + b"\x00\x02" if rng.random() < 0.7 else b"!\xfe"
            for _ in range(rng.integers(0, 3)):
                length = int(rng.integers(1, 256))
                contents += bytes([length]) + rng.integers(0, 256, length, dtype=np.uint8).tobytes()
            contents += b"\x00"
        contents += b";"
        assert int(count_gif_pixels(tf.constant(contents))) == photo_headers.count_gif_pixels(contents)[1]
