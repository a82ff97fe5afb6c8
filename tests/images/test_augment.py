import colorsys
import dataclasses
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image, ImageEnhance

from handnet.config.augmentation import NO_AUGMENTATION, AugmentConfig
from handnet.data.synthetic import draw_hand, sample_person
from handnet.images import backgrounds
from handnet.images.augment import DRAWS, augment_batch, augment_with_draws
from tests.photos import picture

Floats = npt.NDArray[np.float32]


@pytest.fixture(autouse=True)
def few_grounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw few grounds, which takes less time."""
    monkeypatch.setattr(backgrounds, "NUM_DRAWN", 2)


KINDS = [f.name.removesuffix("_probability") for f in dataclasses.fields(AugmentConfig) if "probability" in f.name]


def make_config(*kinds: str, **strengths: float) -> AugmentConfig:
    return dataclasses.replace(NO_AUGMENTATION, **{f"{kind}_probability": 1.0 for kind in kinds}, **strengths)


def apply(photo: npt.NDArray[np.uint8], config: AugmentConfig, border: float = 255.0, **draws: float) -> Floats:
    """Apply a configuration to one photo with given uniform numbers: 0 for the chances, 0.5 for other amounts."""
    uniforms = [[draws.get(name, 0.0 if name in KINDS else 0.5) for name in DRAWS]]
    images, _ = augment_with_draws(
        photo[None].astype(np.float32), tf.constant([0]), tf.constant(uniforms), config, border
    )
    return images.numpy()[0]


def square_picture() -> npt.NDArray[np.uint8]:
    return picture()[:, :48]


def make_noise(height: int = 20, width: int = 26) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_nothing_happens_where_all_is_off() -> None:
    photo = make_noise()
    images, sides = augment_batch(
        photo[None].repeat(5, 0).astype(np.float32), tf.range(5) - 1, tf.constant([3, 4]), NO_AUGMENTATION
    )
    np.testing.assert_array_equal(images, photo[None].repeat(5, 0))
    np.testing.assert_array_equal(sides, [-1, 0, 1, 2, 3])


def test_the_middle_of_every_range_is_no_change() -> None:
    config = make_config("rotation", "translation", "zoom", "brightness", "contrast", "color", zoom_fraction=0.5)
    np.testing.assert_allclose(apply(make_noise(), config), make_noise(), atol=2e-3)


def test_a_rotation_turns_counter_clockwise() -> None:
    photo = square_picture()
    config = make_config("rotation", rotation_degrees=90.0)
    np.testing.assert_allclose(apply(photo, config, rotation_angle=1.0), np.rot90(photo), atol=1e-2)
    np.testing.assert_allclose(apply(photo, config, rotation_angle=0.0), np.rot90(photo, -1), atol=1e-2)
    by_pillow = np.asarray(Image.fromarray(photo).rotate(45, Image.Resampling.BILINEAR)).astype(float)
    turned = apply(photo, config, border=0.0, rotation_angle=0.75)
    assert np.abs(turned - by_pillow)[12:-12, 12:-12].max() < 1.5


def test_a_translation_shows_the_background() -> None:
    photo = make_noise(20, 40)
    config = make_config("translation", translation_fraction=0.2)
    moved = apply(photo, config, border=7.0, translation_x=1.0, translation_y=0.25)
    expected = np.full(photo.shape, 7.0)
    expected[:-2, 8:] = photo[2:, :-8]  # 0.2 × 40 to the right and half of 0.2 × 20 up
    np.testing.assert_allclose(moved, expected, atol=1e-3)


def test_all_geometry_is_one_bilinear_resampling_about_the_middle() -> None:
    photo, background = make_noise(30, 40), 99.0
    config = make_config(
        "rotation", "translation", "zoom", "flip", rotation_degrees=40.0, translation_fraction=0.1, zoom_fraction=0.6
    )
    result = apply(
        photo, config, background, rotation_angle=0.8, translation_x=0.9, translation_y=0.2, zoom_factor=0.75
    )
    angle, zoom = math.radians(0.6 * 40), 1.6**0.5
    shift = np.array([-0.6 * 0.1 * 30, 0.8 * 0.1 * 40])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])  # (down, right)
    mirror = np.diag([1.0, -1.0])
    forward = zoom * turn @ mirror
    center = (np.array(photo.shape[:2]) - 1) / 2
    inverse = np.linalg.inv(forward)
    expected = np.stack(
        [
            scipy.ndimage.affine_transform(
                photo[..., channel].astype(float), inverse, center - inverse @ (center + shift), order=1,
                mode="grid-constant", cval=background,
            )
            for channel in range(3)
        ],
        axis=-1,
    )  # fmt: skip
    np.testing.assert_allclose(result, expected, atol=0.02)
    assert np.abs(expected - photo).mean() > 20


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_zoom_runs_from_smaller_to_larger_evenly(scale: float) -> None:
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[24:40, 24:40] = 200
    result = apply(photo, make_config("zoom", zoom_fraction=1.0), 0.0, zoom_factor=0.5 + 0.5 * math.log2(scale))
    assert (result[..., 0] > 100).sum() == (16 * scale) ** 2


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("kind", "draw", "limits", "enhancer"),
    [
        ("brightness", "brightness_factor", {"brightness_fraction": 0.4}, ImageEnhance.Brightness),
        ("contrast", "contrast_factor", {"contrast_fraction": 0.4}, ImageEnhance.Contrast),
        ("color", "color_saturation", {"saturation_fraction": 0.4, "hue_degrees": 0.0}, ImageEnhance.Color),
    ],
)
def test_colours_change_as_in_pillow(
    kind: str, draw: str, limits: dict[str, float], enhancer: Callable[[Image.Image], ImageEnhance.Color], amount: float
) -> None:
    photo = picture()
    factor = 1.0 + (2.0 * amount - 1.0) * 0.4
    expected = np.asarray(enhancer(Image.fromarray(photo)).enhance(factor)).astype(float)
    # Pillow rounds the grey it mixes with, and cuts the result.
    assert np.abs(apply(photo, make_config(kind, **limits), **{draw: amount}) - expected).max() < 2
    assert np.abs(expected - photo).max() > 10


def test_grayscale_is_luminance_whatever_the_colour_draw() -> None:
    result = apply(picture(), make_config("grayscale", "color"), color_saturation=1.0, color_hue=1.0)
    assert np.abs(result - np.asarray(Image.fromarray(picture()).convert("L"))[..., None]).max() < 1


def test_hue_turns_in_the_chroma_plane() -> None:
    photo = np.random.default_rng(1).integers(90, 160, (3, 5, 3), dtype=np.uint8)
    result = apply(photo, make_config("color", hue_degrees=60.0, saturation_fraction=0.0), color_hue=0.75)
    angle = math.radians(30)
    for old, new in zip(photo.reshape(-1, 3), result.reshape(-1, 3), strict=True):
        y, i, q = colorsys.rgb_to_yiq(*(old / 255.0))
        # colorsys' way back has rounded coefficients, so the results are compared in this space.
        expected = (y, i * math.cos(angle) - q * math.sin(angle), i * math.sin(angle) + q * math.cos(angle))
        np.testing.assert_allclose(colorsys.rgb_to_yiq(*(new / 255.0)), expected, atol=3e-3)


@pytest.mark.parametrize("sigma_px", [0.0, 0.7, 2.6])
def test_blur_is_gaussian(sigma_px: float) -> None:
    photo = make_noise(24, 52)
    result = apply(photo, make_config("blur", blur_sigma_fraction=0.05), blur_sigma=sigma_px / 2.6)

    def smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return scipy.ndimage.gaussian_filter(values, (sigma_px, sigma_px, 0), mode="constant", truncate=20)

    expected = smooth(photo.astype(float)) / smooth(np.ones(photo.shape))
    np.testing.assert_allclose(result, expected, atol=5e-3)


def test_erasing_paints_one_rectangle_with_the_background() -> None:
    photo = make_noise(30, 40)
    config = make_config("erasing", erasing_fraction=0.5)
    # Half of half the area, 300 pixels, three times as tall as wide: 30 × 10, a quarter of the way along.
    result = apply(photo, config, 3.0, erasing_area=0.5, erasing_aspect=1.0, erasing_x=0.25, erasing_y=0.5)
    expected = photo.copy()
    expected[:, 8:17] = 3  # from 0.25 × (40 - 10) = 7.5 to 17.5: pixels whose middle, 8.5 to 16.5, lies within
    columns = np.flatnonzero((result == 3).all(axis=(0, 2)))
    assert columns.min() in (7, 8)
    assert len(columns) == 10
    np.testing.assert_array_equal(np.delete(result, columns, axis=1), np.delete(photo, columns, axis=1))


@pytest.mark.parametrize("corner", [0.0, 1.0])
def test_erasing_stays_within_the_photo(corner: float) -> None:
    config = make_config("erasing", erasing_fraction=1.0)
    result = apply(
        make_noise(), config, 3.0, erasing_area=1.0, erasing_aspect=corner, erasing_x=corner, erasing_y=corner
    )
    # The full area at 3:1 is cut at the border, and is as long as the photo.
    assert 0.5 <= (result == 3).all(-1).mean() < 1


def test_a_mirror_image_swaps_the_known_sides_of_those_photos_alone() -> None:
    photos = np.stack([make_noise()] * 8).astype(np.float32)
    uniforms = np.full((8, len(DRAWS)), 0.9, np.float32)
    uniforms[:4, DRAWS.index("flip")] = 0.4
    config = dataclasses.replace(NO_AUGMENTATION, flip_probability=0.5)
    images, sides = augment_with_draws(photos, tf.constant([0, 1, -1, 7, 0, 1, -1, 7]), uniforms, config)
    np.testing.assert_allclose(images[:4], photos[:4, :, ::-1], atol=1e-2)
    np.testing.assert_allclose(images[4:], photos[4:], atol=1e-2)
    assert sides.numpy().tolist() == [1, 0, -1, 7, 0, 1, -1, 7]
    assert sides.dtype == tf.int32


def test_flip_is_off_by_default() -> None:
    assert AugmentConfig().flip_probability == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_follows_its_own_chance(kind: str) -> None:
    config = AugmentConfig(**{f"{other}_probability": 0.0 for other in KINDS}, blur_sigma_fraction=0.05)
    config = dataclasses.replace(config, **{f"{kind}_probability": 0.6})
    # Only a hand on paper can be laid on another ground.
    photo = draw_hand(sample_person(1, 2), "dorsal", "left", np.random.default_rng(3), (64, 64))
    photo = photo if kind == "background" else make_noise()
    amounts = {name: 0.95 for name in DRAWS if name not in KINDS}
    # Only this kind's number decides, and a number at the probability is outside.
    others = dict.fromkeys(KINDS, 0.0)
    assert np.abs(apply(photo, config, **amounts, **{**others, kind: 0.59}) - photo).max() > 1
    assert np.abs(apply(photo, config, **amounts, **{**others, kind: 0.6}) - photo).max() < 0.01


def test_probabilities_are_met_and_photos_draw_independently() -> None:
    ramp = np.tile(np.arange(8, dtype=np.float32)[None, None, :, None] * 30, (3_000, 2, 1, 3))
    config = dataclasses.replace(NO_AUGMENTATION, flip_probability=0.3, grayscale_probability=0.2)
    _, sides = augment_batch(ramp, tf.zeros((3_000,), tf.int32), tf.constant([5, 6]), config)
    flipped = sides.numpy()
    # Six standard deviations: sqrt(0.3 × 0.7 / 3000) = 0.0084.
    assert abs(flipped.mean() - 0.3) < 0.05
    assert abs(np.corrcoef(flipped[1:], flipped[:-1])[0, 1]) < 0.11
    _, other = augment_batch(ramp, tf.zeros((3_000,), tf.int32), tf.constant([5, 7]), config)
    assert abs(np.corrcoef(flipped, other.numpy())[0, 1]) < 0.11


@pytest.mark.slow
def test_the_same_seed_gives_the_same_photos_eager_and_in_a_pipeline() -> None:
    photos = np.stack([square_picture()] * 6).astype(np.float32)
    sides, seed, config = tf.zeros((6,), tf.int32), tf.constant([1, 2]), AugmentConfig(flip_probability=0.5)
    first, first_sides = augment_batch(photos, sides, seed, config)
    dataset = tf.data.Dataset.from_tensors((photos, sides, seed))
    # As in training.
    augment = tf.autograph.experimental.do_not_convert(lambda x, s, z: augment_batch(x, s, z, config))
    dataset = dataset.map(augment, num_parallel_calls=2)
    second, second_sides = next(iter(dataset))
    np.testing.assert_allclose(first, second, atol=1e-3)
    np.testing.assert_array_equal(first_sides, second_sides)
    assert dataset.element_spec[0].shape == (6, 48, 48, 3)
    again, _ = augment_batch(photos, sides, seed, config)
    np.testing.assert_array_equal(first, again)
    other, _ = augment_batch(photos, sides, tf.constant([1, 3]), config)
    assert all(np.abs(first[n] - other[n]).mean() > 1 for n in range(6))
    assert all(np.abs(first[n] - first[m]).mean() > 1 for n in range(6) for m in range(n))


def test_one_kind_does_not_change_another_kinds_draws() -> None:
    photos = np.stack([square_picture()] * 6).astype(np.float32)
    sides, seed = tf.zeros((6,), tf.int32), tf.constant([1, 2])
    alone = augment_batch(photos, sides, seed, make_config("rotation", rotation_degrees=30.0))[0]
    erased = augment_batch(photos, sides, seed, make_config("rotation", "erasing", rotation_degrees=30.0))[0]
    untouched = tf.reduce_any(erased != 255.0, axis=-1)
    np.testing.assert_allclose(tf.boolean_mask(erased, untouched), tf.boolean_mask(alone, untouched), atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 48, 48, 3), (4, 17, 31, 3), (0, 48, 48, 3)])
def test_any_shape_at_the_extremes_stays_finite_and_in_range(shape: tuple[int, ...]) -> None:
    config = AugmentConfig(
        **{f"{kind}_probability": 1.0 for kind in KINDS if kind != "grayscale"},
        rotation_degrees=180.0, translation_fraction=1.0, zoom_fraction=9.0, brightness_fraction=1.0,
        contrast_fraction=1.0, hue_degrees=180.0, saturation_fraction=1.0, blur_sigma_fraction=0.05,
        erasing_fraction=1.0,
    )  # fmt: skip
    photos = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    for amount in (0.0, 0.5, 1.0 - 2**-24):
        uniforms = tf.fill((shape[0], len(DRAWS)), amount)
        images, sides = augment_with_draws(photos, tf.zeros(shape[:1], tf.int32), uniforms, config)
        assert images.dtype == tf.float32
        assert images.shape == shape
        assert np.isfinite(images).all()
        assert tf.reduce_all((images >= 0) & (images <= 255))
        assert sides.shape == shape[:1]
