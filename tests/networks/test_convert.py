"""Weights of any source converted to one folder, and what must be refused."""

import os

import keras
import numpy as np
import pytest

from handnet.config.settings import SourceConfig
from handnet.data.readers import read_dataset
from handnet.errors import ConfigError, WeightsError
from handnet.networks.backbones.build import build_backbone
from handnet.networks.convert import convert_weights
from handnet.networks.encoder import load_encoder
from handnet.networks.weights.catalogue import SHIPPED
from handnet.networks.weights.manifest import read_manifest
from handnet.networks.weights.source import read_pretrained
from tests.evaluation.runs import FRACTIONS, build_run
from tests.goldens.drawn import draw_images, draw_state
from tests.networks.backbones.sources import TINY_SHAPES, write_source
from tests.tiny import tiny_config, write_tiny


def embed(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images))


@pytest.mark.slow
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
    assert message.startswith(f"The weights of {os.fspath(source)!r} do not fit"), (
        "not the folder that is being written"
    )
    assert "2 missing (block2/scale1, norm/beta)" in message
    assert "1 left over (surprise)" in message
    assert "1 of another shape (block0/proj/kernel (65, 64) instead of (64, 64))" in message
    assert [p.name for p in tmp_path.iterdir()] == ["weights.pth"]


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_backbone_of_a_run_becomes_a_folder_of_weights(tmp_path):
    taps = {"block2": 2}
    model = {"arch": "efficientnet-lite0", "weights": "none", "trainable": "last-1", "head": "linear", "taps": taps}
    dataset = read_dataset("hands11k", write_tiny(tmp_path / "hands"))
    run = build_run(tmp_path / "run", dataset, tiny_config(data=FRACTIONS, model=model))
    folder = convert_weights("efficientnet-lite0", os.fspath(run.folder), tmp_path / "half", half=True)
    manifest = read_manifest(folder)
    assert (manifest.source, manifest.num_bytes < 700_000) == ("the run 'run', trained on some people of 'hands'", True)
    images = draw_images(32)
    filled = build_backbone("efficientnet-lite0", image_size_px=32, weights=os.fspath(folder), taps=taps)
    expected = embed(load_encoder(run).backbone, images)
    np.testing.assert_allclose(embed(filled, images), expected, atol=2e-2 * np.abs(expected).max())
    with pytest.raises(WeightsError, match="has trained 'efficientnet-lite0'. Received: arch='vgg16'"):
        convert_weights("vgg16", os.fspath(run.folder), tmp_path / "other")
    with pytest.raises(WeightsError, match="'hand-pretrained' joins frozen networks .*nothing to convert"):
        convert_weights("hand-pretrained", os.fspath(run.folder), tmp_path / "other")
    with pytest.raises(ConfigError, match=r"Unknown backbone 'resnet5'\. Did you mean 'resnet50'"):
        convert_weights("resnet5", os.fspath(run.folder), tmp_path / "other")
    sources = {"own": SourceConfig("efficientnet-lite0", weights=os.fspath(run.folder))}
    with pytest.raises(WeightsError, match="is a run. .*handnet weights convert"):
        build_backbone("hand-pretrained", image_size_px=64, weights="pip", sources=sources)


@pytest.mark.slow
def test_weights_that_end_at_the_middle_are_converted_as_they_are(tmp_path):
    source = SHIPPED["handnet-synthetic-lite2"]
    folder = convert_weights("efficientnet-lite2", os.fspath(source), tmp_path / "half", half=True)
    assert read_pretrained(folder).state.keys() == read_pretrained(source).state.keys()
