"""What counts as a photo without content, and what does not."""

import numpy as np
import pytest
from PIL import Image

from handnet.data.blank_rule import BLANK, LEAST_CONTRAST, measure_contrast
from handnet.data.checks import check_photo
from handnet.data.synthetic import draw_hand, sample_person
from tests.photos import find_real_data, picture

SIZE_PX = (320, 240)


def fill(colour: object, noise: float = 0.0) -> np.ndarray:
    photo = np.zeros((SIZE_PX[1], SIZE_PX[0], 3)) + colour
    photo += np.random.default_rng(0).normal(0, 1, photo.shape) * noise
    return photo.clip(0, 255).astype(np.uint8)


BLANKS = {
    "black": fill(0),
    "white": fill(255),
    "grey": fill(128),
    "skin": fill((205, 150, 120)),
    "black with noise": fill(4, 6.0),
    "white with noise": fill(250, 6.0),
    "grey with much noise": fill(128, 20.0),
    "one pixel": np.full((1, 1, 3), 90, np.uint8),
}


@pytest.mark.parametrize("kind", BLANKS)
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_a_photo_of_one_colour_is_refused_in_words(kind, format_name, tmp_path):
    Image.fromarray(BLANKS[kind]).save(tmp_path / "photo", format_name)
    problem = check_photo(str(tmp_path / "photo"))
    assert problem is not None
    assert (problem.reason, problem.usable) == (BLANK, False)


@pytest.mark.parametrize("shape", [(48, 64), (7, 5), (1, 300), (16, 16), (241, 333)])
def test_the_contrast_is_that_of_the_parts_whatever_the_size(shape):
    halves = np.zeros((*shape, 3), np.uint8)
    halves[:, : shape[1] // 2, 1] = 100
    assert measure_contrast(halves) == pytest.approx(50, rel=0.1)
    assert measure_contrast(np.full((*shape, 3), 255, np.uint8)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("view", ["dorsal", "palmar"])
def test_a_hand_in_faint_light_is_no_blank_photo(seed, view, tmp_path):
    rng = np.random.default_rng(seed)
    hand = draw_hand(sample_person(3, seed), view, "right", rng, SIZE_PX)
    faint = hand / 10 + rng.normal(0, 3, hand.shape)
    assert measure_contrast(faint.clip(0, 255).astype(np.uint8)) > 1.2 * LEAST_CONTRAST
    # A small spot of light in the dark is something too.
    spot = fill(3)
    spot[100:116, 100:120] = 250
    assert measure_contrast(spot) > LEAST_CONTRAST


def test_colours_of_the_same_lightness_are_something():
    photo = fill((150, 60, 60))
    photo[:, 160:] = (60, 98, 98)
    assert measure_contrast(photo) > 10 * LEAST_CONTRAST
    assert measure_contrast(picture()) > 10 * LEAST_CONTRAST


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hands11k-mini", "lfw", "orl_faces", "tiny-imagenet-200"])
def test_no_real_photo_is_near_the_limit(name):
    paths = sorted(path for path in find_real_data(name).rglob("*") if path.suffix in (".jpg", ".JPEG", ".pgm"))
    for path in paths[:: max(1, len(paths) // 60)]:
        with Image.open(path) as image:
            assert measure_contrast(np.asarray(image.convert("RGB"))) > 4 * LEAST_CONTRAST, path
