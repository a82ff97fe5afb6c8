"""Published weights of every kind put into networks: keras-hub's folders, our own, and what must be refused."""

import json
import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.errors import ConfigError, WeightsError
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone
from handnet.networks.convert import convert_weights
from handnet.networks.weights.catalogue import collect_published, list_published
from handnet.networks.weights.manifest import read_manifest
from handnet.networks.weights.source import read_pretrained
from tests.goldens.drawn import draw_images, draw_state
from tests.networks.backbones.sources import write_source

TINY_SHAPES = {
    "cls_token": (1, 1, 64),
    "pos_embed": (1, 26, 64),
    "mask_token": (1, 64),
    "patch_embed.proj.weight": (64, 3, 14, 14),
    "patch_embed.proj.bias": (64,),
    "norm.weight": (64,),
    "norm.bias": (64,),
    **{
        f"blocks.{block}.{name}": shape
        for block in range(3)
        for name, shape in {
            "norm1.weight": (64,),
            "norm1.bias": (64,),
            "attn.qkv.weight": (192, 64),
            "attn.qkv.bias": (192,),
            "attn.proj.weight": (64, 64),
            "attn.proj.bias": (64,),
            "ls1.gamma": (64,),
            "norm2.weight": (64,),
            "norm2.bias": (64,),
            "mlp.fc1.weight": (128, 64),
            "mlp.fc1.bias": (128,),
            "mlp.fc2.weight": (64, 128),
            "mlp.fc2.bias": (64,),
            "ls2.gamma": (64,),
        }.items()
    },
}


def embed(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images))


def draw_keras_weights(model: keras.Model) -> None:
    """Give every weight of a network a value that a wrong place or layout would show."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        normal = rng.standard_normal(variable.shape).astype("float32")
        fan_in = np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 100.0
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
    with pytest.raises(
        WeightsError, match=r"'dinov2_base' cannot be fetched .*--weights PATH.*--weights none"
    ) as caught:
        build_backbone("dino", image_size_px=224, weights="preset")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size_px", [42, 70])
def test_a_converted_folder_gives_the_features_of_its_source(size_px, tmp_path):
    source = write_source(tmp_path, "meta", draw_state(TINY_SHAPES))
    folder = convert_weights("dino-tiny", os.fspath(source), tmp_path / "converted")
    images = draw_images(size_px)
    of_source = build_backbone("dino-tiny", image_size_px=size_px, weights=os.fspath(source))
    of_folder = build_backbone("dino-tiny", image_size_px=size_px, weights=os.fspath(folder))
    np.testing.assert_array_equal(embed(of_source, images), embed(of_folder, images))
    assert read_pretrained(folder).arch == "dino-tiny"
    assert read_manifest(folder).licence == "not recorded"
    again = convert_weights("dino-tiny", os.fspath(folder), tmp_path / "again")
    assert read_manifest(again).licence == "not recorded"
    with pytest.raises(WeightsError, match="exists"):
        convert_weights("dino-tiny", os.fspath(source), folder)
    with pytest.raises(WeightsError, match=r"holds weights of 'dino-tiny'\. Received: arch='dino-tiny-reg'"):
        build_backbone("dino-tiny-reg", image_size_px=size_px, weights=os.fspath(folder))


def test_what_does_not_fit_is_named_and_leaves_nothing(tmp_path):
    shapes = dict(TINY_SHAPES)
    del shapes["norm.bias"], shapes["blocks.2.ls1.gamma"]
    shapes.update({"surprise": (3,), "blocks.0.attn.proj.weight": (64, 65)})
    source = write_source(tmp_path, "meta", draw_state(shapes))
    with pytest.raises(WeightsError) as caught:
        convert_weights("dino-tiny", os.fspath(source), tmp_path / "converted")
    message = str(caught.value)
    assert "2 missing (block2/scale1, norm/beta)" in message
    assert "1 left over (surprise)" in message
    assert "1 of another shape (block0/proj/kernel (65, 64) instead of (64, 64))" in message
    assert [p.name for p in tmp_path.iterdir()] == ["weights.pth"]


def test_weights_of_another_network_are_refused(tmp_path):
    source = write_source(tmp_path, "meta", draw_state(TINY_SHAPES))
    with pytest.raises(
        WeightsError, match=r"do not fit 'resnet50': 265 missing \(conv1/kernel, bn1/gamma, bn1/beta, …\)"
    ):
        build_backbone("resnet50", image_size_px=64, weights=os.fspath(source))
    with pytest.raises(WeightsError, match=r"no published weights for 'small'"):
        build_backbone("small", image_size_px=64, weights=os.fspath(source))
    oblong = write_source(tmp_path, "meta", draw_state({**TINY_SHAPES, "pos_embed": (1, 28, 64)}))
    with pytest.raises(WeightsError, match="must hold a square of positions"):
        build_backbone("dino-tiny", image_size_px=70, weights=os.fspath(oblong))
    with pytest.raises(ConfigError, match="Unknown backbone"):
        convert_weights("dino-tin", "x", tmp_path / "y")


def test_every_published_backbone_exists_and_says_where_its_weights_are():
    trial = {"hand", "hand-photo", "mini", "small", "dino-tiny", "dino-tiny-reg", "dino3-tiny", "dino3-tiny-plus"}
    assert set(BACKBONES) - {listed.arch for listed in collect_published().values()} == trial


def test_the_document_lists_what_is_published():
    docs = Path(__file__).parents[3] / "docs"
    document = (docs / "backbones.md").read_text(encoding="utf-8")
    for name, arch, parameters, _size, width, trained_at, licence, _source in list_published()[1:]:
        assert f"| {name} | {arch} | {parameters} | {width} | {trained_at} | {licence} |\n" in document
    # The table of parity counts parameters at the size of pretraining too.
    document = (docs / "measurements" / "backbones.md").read_text(encoding="utf-8")
    compared = re.findall(
        r"^\| ([\w-]+) \| \w+ \| .* e?[\d.]+ \| ([\d,]+) \| (\d+) \| (.+) \|$", document, re.MULTILINE
    )
    assert len(compared) == 15
    for arch, parameters, width, licence in compared:
        figures = {(p.num_parameters, p.width, p.licence) for p in BACKBONES[arch].published.values()}
        assert (int(parameters.replace(",", "")), int(width), licence) in figures


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
