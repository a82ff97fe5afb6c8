"""The rule in the graph and the rule of `data check` say the same, and all who decode follow it."""

from collections.abc import Callable
from functools import cache
from io import BytesIO

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.config.image import ImageConfig
from handnet.data.blank_rule import BLANK, LEAST_CONTRAST, measure_contrast
from handnet.data.checks import find_problem
from handnet.images.blank_check import is_blank, measure_contrast_in_graph
from handnet.images.header_guard import fit_and_check, load_photos
from handnet.images.photo_store import build_decoder, find_unusable
from tests.fuzz.decode import SEEDS
from tests.photos import USABLE, picture

CONFIG = ImageConfig(size_px=32)


@cache
def trace_load() -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Return the decoder of the exported model, which is traced once for all kinds of file."""
    return tf.function(
        lambda photos: load_photos(photos, CONFIG),
        input_signature=[tf.TensorSpec((None,), tf.string)],
        autograph=False,
    )


def scale_to(photo: np.ndarray, contrast: float) -> np.ndarray:
    """Return a photo of the same parts with another contrast."""
    pixels = photo.astype(float)
    mean = pixels.mean(axis=(0, 1))
    return np.round(mean + (pixels - mean) * contrast / measure_contrast(photo)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(48, 64), (1, 1), (5, 300), (97, 31), (600, 450)])
def test_both_forms_of_the_rule_measure_the_same(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert float(measure_contrast_in_graph(photo)) == pytest.approx(measure_contrast(photo), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SEEDS)
def test_both_forms_agree_near_the_limit_on_every_kind_of_file(kind, tmp_path):
    """What is 0.3 of 255 from the limit has one verdict, by both decoders: `data check` decodes with Pillow."""
    with Image.open(USABLE[kind](tmp_path / "whole")) as image:
        pixels, format_name = np.asarray(image.convert("RGB")), image.format
    large = np.asarray(Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC))
    load = trace_load()
    for source in (pixels, large):
        for contrast, blank in ((LEAST_CONTRAST - 0.3, True), (LEAST_CONTRAST + 0.3, False)):
            buffer = BytesIO()
            options = {"quality": 98, "subsampling": 0} if format_name == "JPEG" else {}
            Image.fromarray(scale_to(source, contrast)).save(buffer, format_name, **options)
            contents = buffer.getvalue()
            assert find_problem(contents) == BLANK * blank
            assert build_decoder(CONFIG)(contents)[1] == BLANK * blank
            assert bool(load(tf.constant([contents]))[1][0]) is not blank


# Of crops to the hand: tests/images/test_bad_photos.py.
@pytest.mark.parametrize("crop", ["none", "middle"])
def test_a_blank_photo_is_refused_in_the_same_words_with_any_crop(crop, tmp_path):
    config = ImageConfig(size_px=48, crop=crop)
    for name, colour in (("black", 0), ("white", 255), ("blue", (20, 40, 200))):
        Image.fromarray((np.zeros((60, 80, 3)) + colour).astype(np.uint8)).save(tmp_path / name, "PNG")
    paths = [str(tmp_path / name) for name in ("black", "white", "blue")]
    assert find_unusable(paths, config) == dict.fromkeys(paths, BLANK)


def test_whole_pixels_are_looked_at_too():
    white = np.full((48, 64, 3), 255, np.uint8)
    assert bool(is_blank(tf.constant(white)))
    assert not bool(fit_and_check(tf.constant(white), CONFIG)[1])
    assert bool(fit_and_check(tf.constant(picture()), CONFIG)[1])
