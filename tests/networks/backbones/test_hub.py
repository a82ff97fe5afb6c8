"""keras-hub's folders and presets."""

import json
import os

import keras
import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.backbones.build import build_backbone
from handnet.networks.weights.catalogue import collect_published
from tests.goldens.drawn import draw_images


def embed(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images))


def draw_keras_weights(model: keras.Model) -> None:
    """Give every weight of a network a value that a wrong place or layout would show."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        normal = rng.standard_normal(variable.shape, dtype="float32")
        fan_in = np.float32(np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 100.0)
        base = 1.0 if variable.path.endswith(("gamma", "moving_variance", "lambda1")) else 0.0
        variable.assign(base + np.abs(normal) * 0.1 if base else normal / np.sqrt(fan_in))


@pytest.mark.slow
def test_keras_hub_dinov2_folder(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    theirs = keras_hub.models.DINOV2Backbone(
        patch_size=14, num_layers=3, hidden_dim=64, num_heads=2, intermediate_dim=192, num_register_tokens=4,
        use_swiglu_ffn=True, image_shape=(70, 70, 3), position_embedding_shape=(70, 70),
    )  # fmt: skip
    draw_keras_weights(theirs)
    theirs.embeddings.interpolated_position_embeddings.assign(theirs.embeddings.position_embeddings)
    theirs.save_to_preset(os.fspath(tmp_path / "preset"))
    ours = build_backbone("dino-tiny-reg", image_size_px=70, weights=os.fspath(tmp_path / "preset"))
    images = draw_images(70)
    pixels = ours.get_layer("pixels")(images)
    expected = keras.ops.convert_to_numpy(theirs(pixels))[:, 0]
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    np.testing.assert_allclose(embed(ours, images), expected, atol=1e-5)


@pytest.mark.slow
def test_keras_hub_dinov3_folder(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    theirs = keras_hub.models.DINOV3Backbone(
        patch_size=16, num_layers=3, hidden_dim=64, num_heads=2, intermediate_dim=128, num_register_tokens=4,
        use_key_bias=False, image_shape=(64, 64, 3),
    )  # fmt: skip
    draw_keras_weights(theirs)
    theirs.save_to_preset(os.fspath(tmp_path / "preset"))
    ours = build_backbone("dino3-tiny", image_size_px=64, weights=os.fspath(tmp_path / "preset"))
    images = draw_images(64)
    expected = keras.ops.convert_to_numpy(theirs(ours.get_layer("pixels")(images)))[:, 0]
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    np.testing.assert_allclose(embed(ours, images), expected, atol=1e-5)


@pytest.mark.slow
def test_keras_hub_resnet_folder_with_its_own_pixels(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    theirs = keras_hub.models.ResNetBackbone(
        [64], [7], [64, 128, 256, 512], [3, 4, 6, 3], [1, 2, 2, 2], "bottleneck_block", image_shape=(64, 64, 3)
    )
    draw_keras_weights(theirs)
    theirs.save_to_preset(os.fspath(tmp_path / "preset"))
    converter = {"config": {"scale": [0.01, 0.02, 0.03], "offset": [-1.0, -0.5, 0.0]}}
    (tmp_path / "preset" / "image_converter.json").write_text(json.dumps(converter))
    ours = build_backbone("resnet50", image_size_px=64, weights=os.fspath(tmp_path / "preset"))
    images = draw_images(64)
    pixels = images * np.array([0.01, 0.02, 0.03], np.float32) + np.array([-1.0, -0.5, 0.0], np.float32)
    np.testing.assert_allclose(ours.get_layer("pixels")(images), pixels, rtol=1e-6)
    expected = keras.ops.convert_to_numpy(theirs(pixels)).mean((1, 2))
    error = np.abs(embed(ours, images) - expected).max()
    assert error < 1e-5 * np.abs(expected).max()


def test_without_a_hub_one_clear_line(monkeypatch):
    keras_hub = pytest.importorskip("keras_hub")

    def refuse(preset, **_options):
        raise ConnectionError("HTTPSConnectionPool(host='api.kaggle.com', port=443)\nMax retries exceeded")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", refuse)
    with pytest.raises(WeightsError, match="'dinov2_base' cannot be fetched") as caught:
        build_backbone("dino", image_size_px=224, weights="preset")
    said = str(caught.value)
    assert "\n" not in said
    assert "from https://www.kaggle.com/models/keras/dinov2/keras/dinov2_base" in said
    name = said.partition("`handnet weights fetch ")[2].partition(" DIR`")[0]
    assert collect_published()[name].arch == "dino"
    for advice in ("--weights DIR", "--arch hand", "--weights none"):
        assert advice in said
