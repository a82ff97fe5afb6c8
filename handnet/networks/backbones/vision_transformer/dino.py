"""Meta's vision transformers DINOv2 and DINOv3, in their published sizes and in tiny ones for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from handnet.networks.backbones.entry import APACHE, Backbone, Published, Tree
from handnet.networks.backbones.vision_transformer.vit_size import VitSize
from handnet.networks.weights.layout import lay_out_rotary_transformer, lay_out_transformer
from handnet.networks.weights.names import rename_transformer
from handnet.networks.weights.pth import State

if TYPE_CHECKING:
    import keras

_META = "https://dl.fbaipublicfiles.com/dinov2"
_META_PAGE = "https://github.com/facebookresearch/dinov2"
_DINO3_LICENCE = "DINOv3 License (asks for acceptance)"
_FROZEN: dict[str, Any] = {
    "image": {"size_px": 224},
    "model": {"weights": "preset", "trainable": "none", "hidden_size": 512, "embedding_size": 256},
    "optimizer": {"name": "adamw", "learning_rate": 3e-4, "weight_decay": 1e-4, "schedule": "cosine"},
    "train": {"epochs": 30},
}
# Nothing is published for the tiny ones.
_TRIAL: Tree = {**_FROZEN, "model": {**_FROZEN["model"], "weights": "none", "trainable": "all"}}

SMALL = VitSize(width=384, num_blocks=12, num_heads=6, hidden_width=1536)
BASE = VitSize(width=768, num_blocks=12, num_heads=12, hidden_width=3072)
LARGE = VitSize(width=1024, num_blocks=24, num_heads=16, hidden_width=4096)
GIANT = VitSize(width=1536, num_blocks=40, num_heads=24, hidden_width=4096, gated=True)
HUGE = VitSize(width=1280, num_blocks=32, num_heads=20, hidden_width=5120, gated=True)
SEVEN_BILLION = VitSize(width=4096, num_blocks=40, num_heads=32, hidden_width=8192, gated=True)
# For tests and trial runs on a CPU.
TINY = VitSize(width=64, num_blocks=3, num_heads=2, hidden_width=128)


# The cells along each side of the grid at 4, 6, 8 and 10 twelfths of the blocks.
_MIDDLE_CELLS = {4: 7, 6: 7, 8: 7, 10: 5}


def _build(size: VitSize, image_size_px: int, **options: Any) -> keras.Model:
    from handnet.networks.backbones.vision_transformer.vit import build_vit

    return build_vit(size, image_size_px, **options)


def _transformer(
    name: str, size: VitSize, published: Mapping[str, Published], preset: str, lay_out: Any, has_table: bool
) -> Backbone:
    return Backbone(
        partial(_build, size, name=name),
        blocks=r"block\d+",
        defaults=_FROZEN if preset else _TRIAL,
        lay_out=lay_out,
        rename=rename_transformer,
        preset=preset,
        # As deep, in shares of the network, as what was measured with EfficientNet-Lite.
        middle={f"block{size.num_blocks * share // 12 - 1}": cells for share, cells in _MIDDLE_CELLS.items()}
        if preset
        else {},
        published=published,
        is_transformer=True,
        has_position_table=has_table,
    )


def _dino2(name: str, size: VitSize, code: str = "", hub_size: str = "", num_parameters: int = 0) -> Backbone:
    registers = name.endswith("-reg")
    size = replace(size, num_registers=4 if registers else 0)

    def lay_out(state: State, image_size_px: int, rule: str) -> State:
        # Meta resamples the table of the variants with registers with antialiasing, that of the others without.
        return lay_out_transformer(state, image_size_px // size.patch_px, rule, antialias=registers)

    if not code:
        return _transformer(name, size, {}, "", lay_out, has_table=True)
    file = f"dinov2_{code}14_reg4_pretrain.pth" if registers else f"dinov2_{code}14_pretrain.pth"
    url = f"{_META}/dinov2_{code}14/{file}"
    published = {name: Published(num_parameters, size.width, 518, APACHE, url, _META_PAGE)}
    preset = f"dinov2_with_registers_{hub_size}" if registers else f"dinov2_{hub_size}"
    return _transformer(name, size, published, preset, lay_out, has_table=True)


def _dino3(name: str, size: VitSize, code: str = "", num_parameters: int = 0) -> Backbone:
    size = replace(size, patch_px=16, num_registers=4, rope_theta=100.0, epsilon=1e-5)

    def lay_out(state: State, _size_px: int, _rule: str) -> State:
        return lay_out_rotary_transformer(state)

    if not code:
        return _transformer(name, size, {}, "", lay_out, has_table=False)
    page = f"https://huggingface.co/facebook/dinov3-{code}-pretrain-lvd1689m"
    published = {name: Published(num_parameters, size.width, 224, _DINO3_LICENCE, page=page)}
    preset = "dinov3_vit_" + name.removeprefix("dino3-").replace("-", "_") + "_lvd1689m"
    return _transformer(name, size, published, preset, lay_out, has_table=False)


DINO: dict[str, Backbone] = {
    "dino": _dino2("dino", BASE, "vitb", "base", 86_579_712),
    "dino-small": _dino2("dino-small", SMALL, "vits", "small", 22_056_192),
    "dino-large": _dino2("dino-large", LARGE, "vitl", "large", 304_367_616),
    "dino-giant": _dino2("dino-giant", GIANT, "vitg", "giant", 1_136_479_232),
    "dino-base-reg": _dino2("dino-base-reg", BASE, "vitb", "base", 86_582_784),
    "dino-small-reg": _dino2("dino-small-reg", SMALL, "vits", "small", 22_057_728),
    "dino-large-reg": _dino2("dino-large-reg", LARGE, "vitl", "large", 304_371_712),
    "dino-giant-reg": _dino2("dino-giant-reg", GIANT, "vitg", "giant", 1_136_485_376),
    "dino-tiny": _dino2("dino-tiny", TINY),
    "dino-tiny-reg": _dino2("dino-tiny-reg", replace(TINY, gated=True)),
    "dino3-base": _dino3("dino3-base", BASE, "vitb16", 85_668_864),
    "dino3-small": _dino3("dino3-small", SMALL, "vits16", 21_600_768),
    "dino3-small-plus": _dino3("dino3-small-plus", replace(SMALL, gated=True), "vits16plus", 28_697_088),
    "dino3-large": _dino3("dino3-large", LARGE, "vitl16", 303_153_152),
    "dino3-huge-plus": _dino3("dino3-huge-plus", HUGE, "vith16plus", 840_632_320),
    "dino3-7b": _dino3("dino3-7b", SEVEN_BILLION, "vit7b16", 6_716_522_496),
    "dino3-tiny": _dino3("dino3-tiny", TINY),
    "dino3-tiny-plus": _dino3("dino3-tiny-plus", replace(TINY, gated=True)),
}
