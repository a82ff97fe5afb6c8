"""Features from the middle of a backbone: pooled by explicit sums, in the network's order, for convolutions and tokens."""

import keras
import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.metrics.joined_lda import Source
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.taps import GridPooling, find_patch_side, list_sources, tap_backbone
from handnet.networks.complete_config import complete_config
from handnet.networks.encoder import build_encoder
from tests.tiny import tiny_config


def test_pooling_is_a_gaussian_average_of_each_place() -> None:
    maps = np.random.default_rng(0).standard_normal((2, 5, 5, 3)).astype(np.float32)
    found = keras.ops.convert_to_numpy(GridPooling(2)(maps)).reshape(2, 2, 2, 3)
    for row in range(2):
        for column in range(2):
            # Cells of 2.5 pixels: their middles at 0.75 and 3.25, a deviation of half a cell.
            y, x = (0.75 + 2.5 * place for place in (row, column))
            total, weights = np.zeros((2, 3)), 0.0
            for i in range(5):
                for j in range(5):
                    weight = np.exp(-0.5 * ((i - y) ** 2 + (j - x) ** 2) / 1.25**2)
                    total += weight * maps[:, i, j]
                    weights += weight
            np.testing.assert_allclose(found[:, row, column], total / weights, rtol=1e-4, atol=1e-5)


def test_a_transformer_s_patch_tokens_are_a_map() -> None:
    assert [find_patch_side(n) for n in (257, 261, 50, 10, 9, 5)] == [16, 16, 7, 3, 2, 2]
    with pytest.raises(ConfigError, match="square of patch tokens. Received: 12"):
        find_patch_side(12)
    tokens = np.random.default_rng(0).standard_normal((2, 9 + 5, 4)).astype(np.float32)
    maps = tokens[:, 5:].reshape(2, 3, 3, 4)
    np.testing.assert_array_equal(GridPooling(2)(tokens), GridPooling(2)(maps))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "taps", "widths", "left_out"),
    [
        ("efficientnet-lite0", {"block7": 2, "block4": 3}, (9 * 40, 4 * 80), "block8"),
        ("resnet50", {"layer2_3": 2, "layer1_0": 1}, (256, 4 * 512), "layer3_0"),
        ("dino-tiny-reg", {"block0": 2, "block2": 1}, (4 * 64, 64), "norm"),
        ("vgg16", {"block3": 2, "block4_conv1": 1}, (4 * 256, 512), "block4_conv2"),
        ("inception-v3", {"mixed2": 2, "mixed0": 1}, (256, 4 * 288), "mixed3"),
        ("small", {"layer1_1": 2}, (4 * 64,), "layer2_0"),
    ],
)
def test_depths_of_every_kind_of_network_in_its_own_order(
    arch: str, taps: dict, widths: tuple, left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size_px = 75 if arch == "inception-v3" else 70
    wholes: list[keras.Model] = []
    monkeypatch.setattr(
        "handnet.networks.backbones.build.tap_backbone",
        lambda model, taps: (wholes.append(model), tap_backbone(model, taps))[1],
    )
    model = build_backbone(arch, image_size_px=size_px, seed=1, taps=taps)
    (source,) = list_sources(model)
    assert source.widths == widths
    assert model.output_shape == (None, sum(widths))
    (whole,) = wholes
    for network, has_all in ((whole, True), (model, False)):
        # Blocks too are layers of names that begin so.
        assert any(layer.name.startswith(left_out) for layer in network.layers) == has_all, network.name
    images = np.random.default_rng(0).integers(0, 256, (2, size_px, size_px, 3), dtype=np.uint8)
    name = sorted(taps, key=lambda tap: [layer.name.startswith(tap) for layer in whole.layers].index(True))[0]
    layer = [layer for layer in whole.layers if layer.name == name or layer.name.startswith(f"{name}_")][-1]
    expected = GridPooling(taps[name])(keras.Model(whole.input, layer.output)(images))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(images))[:, : widths[0]], expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.slow
def test_unknown_depths_and_layers_without_a_map_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"'layer2_9'\. Did you mean 'layer2_.*Valid: layer1_0, layer1_1, .*layer4_2\.$"
    ) as found:
        build_backbone("resnet50", image_size_px=64, taps={"layer2_9": 2})
    assert "_bn1" not in str(found.value).partition("Valid")[2], "blocks alone, not all their layers"
    with pytest.raises(ConfigError, match=r"takes maps or tokens\. Received: 'grid' of 'small'"):
        build_backbone("small", image_size_px=64, taps={"grid": 2})
    with pytest.raises(ConfigError, match=r"`model\.taps\.block4` must be a whole number of cells from 0 to 64"):
        complete_config({"model": {"arch": "small", "taps": {"block4": 2.5}}})


def test_no_cells_leave_a_default_depth_out() -> None:
    config = complete_config({"model": {"arch": "efficientnet-lite0", "taps": {"block7": 0, "block2": 3}}})
    model = build_backbone("efficientnet-lite0", image_size_px=64, taps=config.model.taps)
    # Blocks 2, 4, 10, 12 of 24, 40, 112, 192 channels.
    assert list_sources(model)[0].widths == (9 * 24, 49 * 40, 25 * 112, 25 * 192)


def test_the_middle_is_written_down_as_depths() -> None:
    config = complete_config({"model": {"arch": "resnet50", "taps": "middle"}})
    assert config.model.taps == {"layer2_3": 7, "layer3_1": 7, "layer3_4": 5, "layer4_0": 4}
    assert complete_config({"model": {"arch": "resnet50"}}).model.taps == {}, "the published recipes keep the end"
    large = complete_config({"model": {"arch": "dino-large", "taps": "middle"}}).model.taps
    assert large == {"block7": 7, "block11": 7, "block15": 7, "block19": 5}
    # Default depths that "middle" does not name are left out.
    sources = {"lite2": {"taps": "middle"}, "own": {"backbone": "vgg16", "taps": "middle"}}
    joined = complete_config({"model": {"arch": "hand-lite2", "sources": sources}}).model.sources
    assert {name for name, cells in joined["lite2"].taps.items() if cells} == {"block4", "block7", "block10", "block12"}
    assert joined["own"].taps == BACKBONES["vgg16"].middle
    with pytest.raises(ConfigError, match=r"`model\.taps = \"middle\"` is for: .*dino.*Received: 'small'"):
        complete_config({"model": {"arch": "small", "taps": "middle"}})


@pytest.mark.parametrize(
    ("arch", "size_px"),
    [
        ("dino-small", 56),
        ("vgg16", 64),
        pytest.param("resnet50", 64, marks=pytest.mark.slow),
        pytest.param("inception-v3", 96, marks=pytest.mark.slow),
    ],
)
def test_the_middle_of_each_kind_of_network_is_in_it(arch: str, size_px: int) -> None:
    middle = BACKBONES[arch].middle
    network = build_backbone(arch, image_size_px=size_px, taps=middle)
    assert len(list_sources(network)[0].widths) == len(middle)


def test_sources_of_backbones_that_join_several() -> None:
    hand = list_sources(build_backbone("hand", image_size_px=64))
    assert hand == (Source("hand", (4760,)),)
    photo = list_sources(build_backbone("hand-photo", image_size_px=48))
    assert [(source.name, source.widths) for source in photo] == [("hand_features", (4760,)), ("photo_colours", (192,))]


@pytest.mark.parametrize(("trainable", "head"), [("none", "mlp"), ("last-1", "linear")])
def test_the_trained_head_sees_depths_on_one_scale(trainable: str, head: str) -> None:
    taps = {"layer1_1": 2, "layer2_2": 2}
    model = {"arch": "small", "taps": taps, "trainable": trainable, "head": head, "embedding_size": 8}
    config = tiny_config(model=model)
    encoder = build_encoder(config)
    assert "head_scale" in [layer.name for layer in encoder.head.layers]
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(np.linalg.norm(encoder.model(images), axis=1), 1.0, rtol=1e-5)
