"""A backbone of several sources: each sees its own crop of the picture, networks are shared, weights come back from a file."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from handnet.config.image import ImageConfig
from handnet.config.settings import SourceConfig
from handnet.errors import ConfigError, WeightsError
from handnet.metrics.joined_lda import Source
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.taps import list_sources
from handnet.networks.weights.safetensors import write_safetensors
from tests.networks.backbones.hand.hands import draw_hand

TAPS = {"layer1_0": 2}
SOURCES = {
    "fine": SourceConfig("small", taps=TAPS),
    "photo": SourceConfig("small", crop="none", taps=TAPS),
    "end": SourceConfig("mini", crop="none", size_px=48),
    "aligned": SourceConfig("small", align=True, taps=TAPS),
    "unused": SourceConfig("no such backbone", off=True),
}
SIZE_PX = 128


def build(weights: str = "none", seed: int = 1, sources: Any = SOURCES) -> keras.Model:
    return build_backbone("hand-pretrained", image_size_px=SIZE_PX, weights=weights, seed=seed, sources=sources)


@pytest.fixture(scope="module")
def joined() -> keras.Model:
    return build()


def draw_picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)


@pytest.mark.slow
def test_each_source_sees_its_own_crop(joined: keras.Model) -> None:
    width = 4 * 64
    assert list_sources(joined) == (
        Source("fine", (width,)),
        Source("photo", (width,)),
        Source("end", (512,)),
        Source("aligned", (width,)),
    )
    picture = draw_picture()
    found = joined(picture).numpy()
    half = SIZE_PX // 2
    alone = build_backbone("small", image_size_px=half, seed=1, taps=TAPS)
    # The crops lie in the order of the sources: that of the hand first, the photo on its right.
    np.testing.assert_allclose(found[:, :width], alone(picture[:, :half, :half]), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[:, width : 2 * width], alone(picture[:, :half, half:]), rtol=1e-4, atol=1e-4)
    # Without weights the alignment moves nothing.
    np.testing.assert_allclose(found[:, -width:], found[:, :width], rtol=1e-4, atol=1e-3)
    changed = picture.copy()
    changed[:, half:] = 0
    np.testing.assert_array_equal(joined(changed), found)


def test_sources_of_the_same_network_share_it(joined: keras.Model) -> None:
    networks = [layer for layer in joined.layers if isinstance(layer, keras.Model)]
    assert len(networks) == 2
    assert len(ImageConfig(crop="several", crops=("hand-canonical", "none")).tiles) == 2


@pytest.mark.slow
def test_weights_come_back_from_a_file(joined: keras.Model, tmp_path: Path) -> None:
    joined.save_weights(tmp_path / "joined.weights.h5")
    other = build(seed=2)
    picture = draw_picture()
    assert np.abs(other(picture) - joined(picture)).max() > 0.01
    other.load_weights(tmp_path / "joined.weights.h5")
    np.testing.assert_array_equal(other(picture), joined(picture))


@pytest.mark.slow
def test_a_source_may_have_weights_of_its_own_that_end_at_its_deepest_tap(tmp_path: Path) -> None:
    taps = {"block2": 2}
    network = build_backbone("efficientnet-lite0", image_size_px=SIZE_PX, seed=5, taps=taps)
    file = tmp_path / "own.safetensors"
    write_safetensors(file, {v.path: v.numpy() for v in network.weights if not v.path.startswith("pixels/")})
    joined = build("pip", sources={"own": SourceConfig("efficientnet-lite0", weights=str(file), taps=taps)})
    picture = draw_picture()
    np.testing.assert_allclose(joined(picture), network(picture), rtol=1e-4, atol=1e-4)
    with pytest.raises(WeightsError, match="do not fit 'efficientnet-lite0': .* missing"):
        build("pip", sources={"own": SourceConfig("efficientnet-lite0", weights=str(file), taps={"block4": 2})})


def test_what_cannot_be_joined_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"give each its own taps, `model\.sources\.NAME\.taps`"):
        build_backbone("hand-pretrained", image_size_px=SIZE_PX, taps={"block4": 2})
    with pytest.raises(WeightsError, match="come with their own weights.*Give --weights pip"):
        build(weights="handnet-synthetic")
    with pytest.raises(ConfigError, match="Unknown backbone 'smal'"):
        build(sources={"one": SourceConfig("smal")})


@pytest.mark.slow
def test_sources_have_the_published_weights_and_the_hand_is_aligned() -> None:
    taps = {"block4": 3, "block7": 2}
    lite = SourceConfig("efficientnet-lite0", align=True, taps=taps)
    try:
        joined = build(weights="pip", sources={"hand": SourceConfig("hand"), "lite": lite})
    except WeightsError as error:
        pytest.skip(str(error))
    picture = draw_hand(angle_deg=12.0, shift_px=(5, -3), size=SIZE_PX)[np.newaxis]
    found = joined(picture).numpy()
    hand = build_backbone("hand", image_size_px=SIZE_PX, weights="handnet-synthetic")
    np.testing.assert_allclose(found[:, :4760], hand(picture), rtol=1e-4, atol=1e-4)
    aligned = hand.get_layer("alignment")(picture)
    assert np.abs(aligned - picture).max() > 50, "this hand is moved"
    alone = build_backbone("efficientnet-lite0", image_size_px=SIZE_PX, weights="pip", taps=taps)
    np.testing.assert_allclose(found[:, 4760:], alone(aligned), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_the_network_that_comes_along_ends_at_its_deepest_tap() -> None:
    arch, weights, taps = "efficientnet-lite2", "handnet-synthetic-lite2", {"block4": 7}
    joined = build_backbone("hand-lite2", image_size_px=64, weights="handnet-synthetic")
    assert [source.name for source in list_sources(joined)] == ["hand", "lite2", "lite2_aligned"]
    alone = build_backbone(arch, image_size_px=64, weights=weights, taps=taps)
    picture = draw_hand(angle_deg=12.0, shift_px=(2, -3), size=64)[np.newaxis]
    found = joined(picture).numpy()[:, 4760 : 4760 + 49 * 48]
    assert np.abs(found).max() > 1.0
    np.testing.assert_allclose(found, alone(picture), rtol=1e-3, atol=1e-3)
    with pytest.raises(WeightsError, match="do not fit 'efficientnet-lite2': .* missing"):
        build_backbone(arch, image_size_px=64, weights=weights)
