"""The hand's own backbone with its shipped weights."""

import keras
import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.backbones.build import build_backbone
from handnet.networks.weights.catalogue import SHIPPED
from handnet.networks.weights.manifest import read_manifest
from tests.networks.backbones.hand.hands import draw_hand


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
