"""The hand's own backbone: the alignment moves hands back, the descriptor describes, shipped weights are whole."""

import keras
import numpy as np
import pytest
from PIL import Image

from handnet.errors import WeightsError
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.hand.alignment import (
    HandAlignment,
    cover_hand,
    find_gain,
    find_mean_outline,
    gaussian_rows,
    sample,
)
from handnet.networks.backbones.hand.descriptor import GROUPS, HandDescriptor, resize_rows
from handnet.networks.weights.catalogue import SHIPPED
from handnet.networks.weights.manifest import read_manifest


def draw_hand(angle_deg: float = 0.0, scale: float = 1.0, shift_px: tuple[int, int] = (0, 0), size: int = 128):
    """Draw a palm with four fingers and a thumb on white, and turn, scale and shift it; float32 (S, S, 3)."""
    big = 4 * size
    canvas = np.full((big, big, 3), 255, np.uint8)
    y, x = np.mgrid[:big, :big] / big
    hand = ((y - 0.62) / 0.15) ** 2 + ((x - 0.5) / 0.13) ** 2 < 1
    for middle, top in ((0.40, 0.30), (0.47, 0.22), (0.54, 0.26), (0.61, 0.36)):
        hand |= (np.abs(x - middle) < 0.028) & (y > top) & (y < 0.6)
    hand |= (np.abs((x - 0.30) + 0.6 * (y - 0.55)) < 0.035) & (y > 0.45) & (y < 0.66)
    canvas[hand] = (205, 150, 120)
    picture = Image.fromarray(canvas)
    turned = picture.rotate(angle_deg, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    side = round(big / scale)
    before = (big - side) // 2
    box = (before - 4 * shift_px[1], before - 4 * shift_px[0])
    cropped = Image.new("RGB", (side, side), (255, 255, 255))
    cropped.paste(turned, (-box[0], -box[1]))
    return np.asarray(cropped.resize((size, size), Image.Resampling.LANCZOS), np.float32)


@pytest.fixture(scope="module")
def alignment() -> HandAlignment:
    layer = HandAlignment()
    upright = draw_hand()[np.newaxis]
    layer(upright)
    rows = gaussian_rows(128, 32, 5.0)
    template = rows @ keras.ops.convert_to_numpy(cover_hand(upright))[0] @ rows.T
    gain, decay = find_gain(template)
    for variable, values in ((layer.template, template), (layer.gain, gain), (layer.decay, decay)):
        variable.assign(values)
    return layer


@pytest.mark.parametrize(
    "moved", [{"angle_deg": 6.0}, {"angle_deg": -6.0}, {"scale": 1.05}, {"scale": 0.95}, {"shift_px": (3, -3)}]
)
def test_alignment_moves_a_hand_back(alignment, moved):
    upright, other = draw_hand(), draw_hand(**moved)
    before = np.abs(other - upright).mean()
    after = np.abs(keras.ops.convert_to_numpy(alignment(other[np.newaxis]))[0] - upright).mean()
    assert before > 1.5, "the change must be seen"
    assert after < 0.45 * before


def test_alignment_without_a_template_changes_nothing():
    layer = HandAlignment()
    image = draw_hand(angle_deg=10.0)[np.newaxis]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(image)), image, atol=1e-3)


def test_alignment_of_an_empty_picture_and_of_noise_is_finite(alignment):
    white = np.full((1, 128, 128, 3), 255.0, np.float32)
    noise = np.random.default_rng(0).uniform(0, 255, (1, 128, 128, 3)).astype(np.float32)
    for image in (white, np.zeros_like(white), noise):
        out = keras.ops.convert_to_numpy(alignment(image))
        assert np.isfinite(out).all()
        assert out.min() >= 0.0
        assert out.max() <= 255.0


def test_mean_outline_of_turned_hands_is_sharper_than_their_average():
    hands = np.stack([draw_hand(angle_deg=a) for a in (-8.0, -4.0, 0.0, 4.0, 8.0)])
    rows = gaussian_rows(128, 32, 5.0)
    average = (rows @ keras.ops.convert_to_numpy(cover_hand(hands)) @ rows.T).mean(axis=0)
    template = find_mean_outline(hands, HandAlignment())
    assert np.square(np.gradient(template)).sum() > 1.1 * np.square(np.gradient(average)).sum()


def test_sample_is_exact_on_pixels_and_linear_between():
    image = np.random.default_rng(0).uniform(0, 255, (1, 5, 7, 2)).astype(np.float32)
    y, x = np.mgrid[:5, :7].reshape(2, 1, -1).astype(np.float32)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(sample(image, y, x))[0], image.reshape(-1, 2), rtol=1e-6)
    between = keras.ops.convert_to_numpy(sample(image, np.array([[1.5]], np.float32), np.array([[2.25]], np.float32)))
    expected = 0.5 * (0.75 * image[0, 1, 2] + 0.25 * image[0, 1, 3]) + 0.5 * (
        0.75 * image[0, 2, 2] + 0.25 * image[0, 2, 3]
    )
    np.testing.assert_allclose(between[0, 0], expected, rtol=1e-5)
    beyond = keras.ops.convert_to_numpy(sample(image, np.array([[-9.0]], np.float32), np.array([[99.0]], np.float32)))
    np.testing.assert_allclose(beyond[0, 0], image[0, 0, 6], rtol=1e-6)


def test_resize_agrees_with_tensorflow():
    import tensorflow as tf

    line = np.random.default_rng(0).uniform(0, 255, (1, 128, 1, 1)).astype(np.float32)
    for target in (96, 64, 150):
        theirs = tf.image.resize(line, (target, 1), antialias=True).numpy()[0, :, 0, 0]
        np.testing.assert_allclose(resize_rows(128, target) @ line[0, :, 0, 0], theirs, atol=1e-2)


def test_gradients_are_counted_where_and_how_they_run():
    # A vertical edge on the left half: the gradient runs right (orientation 0), in the columns of cells about the edge.
    image = np.full((1, 128, 128, 3), 200.0, np.float32)
    image[:, :, :40] = 60.0
    described = keras.ops.convert_to_numpy(HandDescriptor()(image))[0]
    fine = described[: GROUPS[0].width].reshape(8, 8, 8)
    assert np.argmax(fine.sum(axis=(1, 2))) == 0
    assert np.argmax(fine[0].sum(axis=0)) == 2, "pixel 40 lies in the third cell of 16"
    turned = keras.ops.convert_to_numpy(HandDescriptor()(image.transpose(0, 2, 1, 3)))[0]
    assert np.argmax(turned[: GROUPS[0].width].reshape(8, 8, 8).sum(axis=(1, 2))) == 4, "a quarter turn is 4 of 8 bins"


def test_descriptor_does_not_see_what_is_not_there_and_sees_what_is():
    described = {
        name: keras.ops.convert_to_numpy(HandDescriptor()(image[np.newaxis]))[0]
        for name, image in (("hand", draw_hand()), ("darker", np.where(draw_hand() > 250, 255, draw_hand() * 0.8)))
    }
    begin = 0
    change = {}
    for group in GROUPS:
        part = slice(begin, begin + group.width)
        change[group.name] = np.abs(described["hand"][part] - described["darker"][part]).max() * group.deviation
        begin += group.width
    assert begin == len(described["hand"])
    assert change["outline"] < 0.02, "the outline knows no light"
    assert change["skin colour"] > 0.15


@pytest.mark.parametrize(
    ("arch", "size", "width"), [("hand", 128, 4760), ("hand-photo", 192, 4952), ("mini", 96, 1152)]
)
def test_shipped_weights_fit_and_are_whole(arch, size, width):
    model = build_backbone(arch, image_size_px=size, weights="handnet-synthetic")
    assert model.output_shape == (None, width)
    random = build_backbone(arch, image_size_px=size)
    changed = [
        v.path
        for v, w in zip(model.weights, random.weights, strict=True)
        if not np.array_equal(keras.ops.convert_to_numpy(v), keras.ops.convert_to_numpy(w))
    ]
    assert {v.path for v in model.weights} - set(changed) == {"pixels/scale", "pixels/offset"}


def test_shipped_weights_say_their_licence_and_are_refused_elsewhere():
    manifest = read_manifest(SHIPPED["handnet-synthetic"])
    assert manifest.licence == "Apache-2.0"
    with pytest.raises(WeightsError, match="There are no published weights for 'small'"):
        build_backbone("small", image_size_px=96, weights="handnet-synthetic")
    with pytest.raises(WeightsError, match="holds weights of 'hand'"):
        build_backbone("resnet50", image_size_px=96, weights="handnet-synthetic")


def test_the_hand_counts_and_not_the_photo_beside_it():
    size, third = 192, 64
    hand = draw_hand(size=size - third)
    first, second = np.full((2, size, size, 3), 255.0, np.float32)
    first[: size - third, : size - third] = second[: size - third, : size - third] = hand
    second[size - third :, size - third :] = 90.0
    model = build_backbone("hand-photo", image_size_px=size, weights="handnet-synthetic")
    features = keras.ops.convert_to_numpy(model(np.stack([first, second])))
    alone = keras.ops.convert_to_numpy(
        build_backbone("hand", image_size_px=size - third, weights="handnet-synthetic")(hand[np.newaxis])
    )
    np.testing.assert_allclose(features[0, :4760], features[1, :4760], atol=1e-4)
    np.testing.assert_allclose(features[0, :4760], alone[0], atol=1e-4)
    assert np.abs(features[0, 4760:] - features[1, 4760:]).max() > 0.1
