"""The pixel normalisation of each kind of weights."""

import numpy as np
import pytest

from handnet.networks.backbones.build import build_backbone


@pytest.mark.slow
def test_facenet_pixels():
    model = build_backbone("inception-resnet-v1", image_size_px=80)
    grey = np.array([0, 127.5, 255], np.float32).reshape(1, 1, 3, 1) * np.ones((1, 1, 1, 3), np.float32)
    # (x - 127.5) / 128
    np.testing.assert_allclose(model.get_layer("pixels")(grey)[0, 0, :, 0], [-0.99609375, 0.0, 0.99609375], atol=1e-6)


def test_imagenet_pixels():
    model = build_backbone("dino-tiny", image_size_px=42)
    white = np.full((1, 42, 42, 3), 255, np.uint8)
    # (1 - mean) / std
    expected = [2.248908, 2.428571, 2.64]
    np.testing.assert_allclose(model.get_layer("pixels")(white)[0, 0, 0], expected, atol=1e-5)
