"""Photos that are not of one hand: each is answered in words, none raises, and none without a hand has a crop to be matched."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from handnet.config.image import ImageConfig
from handnet.data.blank_rule import BLANK
from handnet.data.synthetic import draw_hand, draw_hand_with_mask, sample_person
from handnet.data.synthetic.grounds import GROUNDS
from handnet.images.hand.quality_rule import GOOD, REFUSE
from handnet.images.hand_report import look_at_photos
from handnet.images.photo_store import build_decoder
from handnet.images.unusable_photos import NO_HAND as REASONS
from tests.hand_models import find_hand_models
from tests.photos import find_real_data

SIZE_PX = (480, 360)


def draw_wood():
    return np.clip(GROUNDS["wood"](np.random.default_rng(2), SIZE_PX[::-1]), 0, 255).astype(np.uint8)


def draw_face():
    image = Image.new("RGB", SIZE_PX, (90, 120, 160))
    draw = ImageDraw.Draw(image)
    draw.ellipse((150, 40, 330, 300), fill=(226, 180, 150))
    for x in (200, 280):
        draw.ellipse((x - 16, 130, x + 16, 150), fill="white")
        draw.ellipse((x - 7, 133, x + 7, 147), fill=(60, 40, 20))
    draw.polygon([(240, 150), (225, 205), (255, 205)], fill=(205, 155, 125))
    draw.chord((200, 225, 280, 265), 0, 180, fill=(170, 60, 60))
    return np.asarray(image)


def draw_foot():
    image = Image.new("RGB", SIZE_PX, (235, 235, 230))
    draw = ImageDraw.Draw(image)
    draw.ellipse((170, 90, 290, 350), fill=(214, 165, 135))
    for x, y, radius in ((185, 70, 24), (222, 55, 16), (248, 60, 14), (270, 72, 12), (288, 88, 11)):
        draw.ellipse((x - radius, y - radius, x + radius, y + 1.6 * radius), fill=(214, 165, 135))
    return np.asarray(image)


def draw_glove():
    photo, mask = draw_hand_with_mask(sample_person(3, 1), "dorsal", "right", np.random.default_rng(1), SIZE_PX)
    glove = photo.copy()
    # Wool of one colour: no nails, no creases.
    wool = np.array((40, 70, 150)) + 12 * np.random.default_rng(0).standard_normal((*mask.shape, 1))
    thick = ndimage.binary_dilation(mask, iterations=4)
    glove[thick] = np.clip(wool, 0, 255).astype(np.uint8)[thick]
    return glove


def draw_outline():
    mask = draw_hand_with_mask(sample_person(3, 1), "dorsal", "right", np.random.default_rng(1), SIZE_PX)[1]
    edge = ndimage.binary_dilation(mask, iterations=2) ^ mask
    return np.where(edge, 30, 250).astype(np.uint8)[..., np.newaxis].repeat(3, -1)


def draw_two_people():
    hands = [draw_hand(sample_person(3, k), "dorsal", "right", np.random.default_rng(1), SIZE_PX) for k in (1, 4)]
    return np.concatenate([hands[0], hands[1][:, ::-1]], axis=1)


def draw_holding():
    photo = draw_hand(sample_person(3, 1), "palmar", "left", np.random.default_rng(1), SIZE_PX)
    image = Image.fromarray(photo)
    width, height = SIZE_PX
    ImageDraw.Draw(image).rectangle((0.2 * width, 0.3 * height, 0.8 * width, 0.62 * height), fill=(30, 90, 60))
    return np.asarray(image)


def fill(size_px, value):
    return np.full((size_px[1], size_px[0], 3), value, np.uint8)


# Without any hand: refused, always.
NO_HAND: dict[str, Callable[[], np.ndarray]] = {
    "a table": draw_wood,
    "a face": draw_face,
    "a foot": draw_foot,
    "16×16": lambda: fill((16, 16), (205, 150, 120)),
    "8000×6000": lambda: fill((8000, 6000), (205, 150, 120)),
    "black": lambda: fill(SIZE_PX, 0),
    "white": lambda: fill(SIZE_PX, 255),
    "noise": lambda: np.random.default_rng(0).integers(0, 256, (*SIZE_PX[::-1], 3)).astype(np.uint8),
}
# Shapes of hands, or hands with something about them.
LIKE_HANDS: dict[str, Callable[[], np.ndarray]] = {
    "a glove": draw_glove,
    "a drawing": draw_outline,
    "two people's hands": draw_two_people,
    "a hand holding something": draw_holding,
}


@pytest.fixture(scope="module")
def folder():
    return find_hand_models()


def look(photo, folder):
    return next(look_at_photos([photo], folder))


@pytest.fixture(scope="module")
def decode(folder):
    """What `embed`, `verify` and the gallery decode with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_HAND_MODELS", str(folder))
        yield build_decoder(ImageConfig(64, crop="hand-canonical", hand_finder="landmarks"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", NO_HAND)
def test_without_a_hand_a_photo_is_refused_in_words_and_has_no_crop(folder, decode, kind):
    photo = NO_HAND[kind]()
    verdict = look(photo, folder).verdict
    assert verdict.level == REFUSE
    assert verdict.reasons == ("no hand was found",)
    contents = BytesIO()
    Image.fromarray(photo).save(contents, "PNG", compress_level=1)
    square, reason = decode(contents.getvalue())
    assert square is None
    assert reason == (BLANK if kind in ("16×16", "8000×6000", "black", "white") else REASONS["landmarks"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIKE_HANDS)
def test_what_looks_like_hands_is_answered_in_words(folder, kind):
    report = look(LIKE_HANDS[kind](), folder)
    verdict = report.verdict
    assert verdict.level != GOOD or not verdict.reasons
    if kind == "two people's hands":
        assert (verdict.level, verdict.reasons) == (REFUSE, ("several hands: photograph one at a time",))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lfw", "orl_faces"])
def test_faces_are_refused_unless_a_hand_is_in_the_photo(folder, name):
    paths = sorted(path for path in Path(find_real_data(name)).rglob("*") if path.suffix in (".jpg", ".pgm"))
    reports = list(look_at_photos([str(path) for path in paths[:: len(paths) // 6][:6]], folder))
    assert sum(report.verdict.level == REFUSE for report in reports) >= 5


def decode_by_color(photo: Image.Image) -> tuple[np.ndarray | None, str]:
    """Decode as `decode` does, by the rule of colours; the size is that of tests/images/test_photo_store.py."""
    photo.save(contents := BytesIO(), "PNG", compress_level=1)
    return build_decoder(ImageConfig(48, crop="hand-canonical"))(contents.getvalue())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["16×16", "black", "white", "noise"])
def test_by_color_too_there_is_no_hand_where_there_is_none(kind):
    square, problem = decode_by_color(Image.fromarray(NO_HAND[kind]()))
    assert square is None
    assert problem == (REASONS["colour"] if kind == "noise" else BLANK)


@pytest.mark.slow
def test_by_color_a_hand_is_found_unless_its_photo_is_tiny():
    hand = Image.fromarray(draw_hand(sample_person(3, 1), "dorsal", "right", np.random.default_rng(1), SIZE_PX))
    for photo in (hand, hand.resize((48, 36))):
        square, problem = decode_by_color(photo)
        assert problem == ""
        assert square is not None
    assert decode_by_color(hand.resize((16, 16))) == (None, REASONS["colour"])


@pytest.mark.slow
@pytest.mark.parametrize("level", [3, 10])
def test_the_noise_of_a_dark_photo_is_no_hand(level: int) -> None:
    noise = np.random.default_rng(0).normal(0, 3, (*SIZE_PX[::-1], 3))
    buffer = BytesIO()
    Image.fromarray((level + noise).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=95)
    assert build_decoder(ImageConfig(48, crop="hand"))(buffer.getvalue()) == (None, BLANK)
    # Where a corner is lighter it is no blank photo, and the noise is still no hand.
    lit = (level + noise + np.linspace(0, 12, SIZE_PX[0])[:, np.newaxis]).clip(0, 255).astype(np.uint8)
    Image.fromarray(lit).save(buffer := BytesIO(), "JPEG", quality=95)
    assert build_decoder(ImageConfig(48, crop="hand"))(buffer.getvalue()) == (None, REASONS["colour"])
