"""What every entry of BACKBONES must say, and a backbone added by one entry: settings, weights, training, listing."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.config.presets import merge_trees
from handnet.errors import ConfigError, WeightsError
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.entry import Backbone, Published
from handnet.networks.backbones.pixels import PixelNormalization
from handnet.networks.backbones.trainable import find_block_outputs, find_layer_rates, list_blocks, set_trainable
from handnet.networks.complete_config import complete_config
from handnet.networks.weights.catalogue import SHIPPED, list_published
from tests.networks.backbones.sources import write_pth

DEFAULTS = {"image": {"size_px": 40}, "model": {"weights": "preset", "trainable": "none"}}


@pytest.mark.parametrize("arch", BACKBONES)
def test_the_defaults_of_each_backbone_are_whole_settings(arch: str) -> None:
    entry = BACKBONES[arch]
    config = complete_config({"model": {"arch": arch}})
    assert config.image.size_px == entry.defaults["image"]["size_px"] >= entry.min_image_px
    kept = [entry.kept.name] if entry.kept else []
    assert config.model.weights in ("none", "preset", "pip", *SHIPPED, *kept)
    assert config.model.weights not in SHIPPED or config.model.weights in entry.shipped
    assert complete_config({"model": {"arch": arch}, "image": {"size_px": 512 * 3}}).image.size_px == 1536


def test_settings_are_completed_without_tensorflow() -> None:
    code = (
        "import sys; from handnet.networks.complete_config import complete_config; "
        "from handnet.networks.weights.catalogue import list_published; "
        "complete_config({'model': {'arch': 'dino'}}); list_published(); "
        "assert not {'tensorflow', 'keras', 'torch'} & sys.modules.keys(), 'too much is imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_an_unknown_backbone_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"Unknown backbone 'resnet5'\. Did you mean 'resnet50'\?"):
        complete_config({"model": {"arch": "resnet5"}})
    with pytest.raises(ConfigError, match=r"`model\.arch` must be text\. Received: 3"):
        complete_config({"model": {"arch": 3}})


def build_example(image_size_px: int) -> keras.Model:
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = keras.layers.Conv2D(4, 3, 2, name="stem")(PixelNormalization()(images))
    for index in range(3):
        x = keras.layers.Conv2D(4, 3, padding="same", name=f"part{index}_conv")(x)
        x = keras.layers.ReLU(name=f"part{index}_relu")(x)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D(name="pool")(x), name="example")


def lay_out_example(state: dict[str, np.ndarray], _size_px: int, _rule: str) -> dict[str, np.ndarray]:
    return {
        f"{name.rpartition('.')[0]}/{'kernel' if array.ndim == 4 else 'bias'}": array.transpose(2, 3, 1, 0)
        if array.ndim == 4
        else array
        for name, array in state.items()
    }


EXAMPLE = Backbone(
    build_example,
    blocks=r"part\d",
    defaults=DEFAULTS,
    lay_out=lay_out_example,
    rename=lambda state: {name.replace("part_", "part"): array for name, array in state.items()},
    published={"example-photos": Published(484, 4, 40, "CC0", "https://example.org/x.pth", "https://example.org")},
    pixels=((1.0,) * 3, (-1.0,) * 3),
    min_image_px=16,
)


def test_a_backbone_is_added_by_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "example", EXAMPLE)
    assert complete_config({"model": {"arch": "example"}}).image.size_px == 40
    assert next(row for row in list_published() if row[1] == "example")[-1] == "https://example.org/x.pth"

    names = ("stem", "part_0_conv", "part_1_conv", "part_2_conv")
    rng = np.random.default_rng(0)
    state = {f"{n}.weight": rng.standard_normal((4, 3 if n == "stem" else 4, 3, 3), dtype=np.float32) for n in names}
    state |= {f"{name}.bias": rng.standard_normal(4, dtype=np.float32) for name in names}
    write_pth(tmp_path / "x.pth", state)
    model = build_backbone("example", image_size_px=40, weights=str(tmp_path / "x.pth"))
    np.testing.assert_array_equal(model.get_layer("part1_conv").bias, state["part_1_conv.bias"])
    np.testing.assert_array_equal(model.get_layer("pixels").offset, [-1.0] * 3)

    assert find_block_outputs(model) == {"part0": "part0_relu", "part1": "part1_relu", "part2": "part2_relu"}
    assert find_layer_rates(model, 0.5)["part1_conv/kernel"] == 0.25
    set_trainable(model, "last-1")
    assert {v.path for v in model.trainable_weights} == {"part2_conv/kernel", "part2_conv/bias"}


def test_an_entry_without_preset_never_begins_from_random_weights_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "example", EXAMPLE)
    config = complete_config({"model": {"arch": "example"}})
    with pytest.raises(WeightsError, match=r"no preset for 'example'.*handnet weights fetch example-photos"):
        build_backbone("example", image_size_px=40, weights=config.model.weights)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"defaults": {}}, "must say image.size_px"),
        ({"defaults": merge_trees(DEFAULTS, {"model": {"weights": "none"}})}, "must use them by default"),
        ({"lay_out": None}, "needs `lay_out`"),
    ],
)
def test_a_forgotten_part_of_an_entry_fails_when_it_is_made(changed: dict, message: str) -> None:
    given = {"blocks": "", "defaults": DEFAULTS, "lay_out": lay_out_example, "preset": "x", **changed}
    with pytest.raises(ValueError, match=message):
        Backbone(build_example, **given)
    with pytest.raises(TypeError, match="blocks"):
        Backbone(build_example, defaults=DEFAULTS)


def test_a_hint_names_a_backbone_that_needs_no_download_and_the_default_has_one() -> None:
    default = complete_config({}).model.arch
    hints = {name: entry.hint for name, entry in BACKBONES.items() if entry.hint}
    assert default in hints
    for name, hint in hints.items():
        (better,) = re.findall(r"--arch (\S+)", hint)
        assert better != name
        assert BACKBONES[better].shipped


@pytest.mark.parametrize("blocks", ["", "stage"])
def test_blocks_that_match_no_layer_where_there_should_be_some_are_refused(
    blocks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKBONES, "example", Backbone(build_example, blocks=blocks, defaults=DEFAULTS))
    if blocks:
        with pytest.raises(ValueError, match="`blocks` is wrong"):
            build_backbone("example", image_size_px=40)
    else:
        assert list_blocks(build_backbone("example", image_size_px=40)) == []
