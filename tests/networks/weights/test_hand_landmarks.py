"""The weights of MediaPipe's landmark network in the backbone: it finds what the network of the file finds."""

import keras
import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.images.hand_models.models import load_hand_models
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.hand.landmarks import LAYERS
from handnet.networks.weights.hand_landmarks import read_hand_landmarks
from tests.hand_models import find_hand_models
from tests.networks.backbones.hand.hands import draw_hand


def test_the_backbone_finds_the_landmarks_that_the_network_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = find_hand_models()
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(folder))
    hand = np.kron(draw_hand()[::2, ::2], np.ones((3, 3, 1))).astype(np.float32)
    backbone = build_backbone("hand-landmarks", image_size_px=192, weights="mediapipe-hands")
    inner = keras.Model(backbone.input, backbone.get_layer("landmarks").output)
    framed = np.pad(hand, ((16, 16), (16, 16), (0, 0)), constant_values=255.0)
    expected, *_ = load_hand_models(folder).locate(framed[np.newaxis] / 255.0)
    found = keras.ops.convert_to_numpy(inner(hand[np.newaxis]))
    np.testing.assert_allclose(found, np.asarray(expected), atol=2e-2)
    # Pixels of a picture of 224, so that equal noise would not pass.
    assert np.ptp(found) > 50.0
    state = read_hand_landmarks().state
    assert set(state) == {f"{layer}/{part}" for layer in LAYERS for part in ("kernel", "bias")}


def test_without_the_file_one_line_says_what_fetches_it(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"hand_landmark_full\.tflite' is missing\. Run: handnet weights fetch mediapipe-hands"
    ):
        build_backbone("hand-landmarks", image_size_px=192, weights="mediapipe-hands")
