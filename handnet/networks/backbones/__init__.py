"""Backbones: photos in, features out, with the pixel normalisation inside.

Every network is written here in Keras under the names of its reference implementation. Any source of weights is
brought to these names (`networks.weights.names`), laid out for Keras (`networks.weights.layout`) and must fit whole.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from handnet.config.settings import POSITION_RULES
from handnet.errors import ConfigError, WeightsError, format_unknown
from handnet.networks.backbones.assign import assign_state
from handnet.networks.backbones.hand.backbone import build_hand, build_hand_photo, lay_out_hand, lay_out_mini
from handnet.networks.backbones.hub import read_preset
from handnet.networks.backbones.inception import build_inception_resnet_v1
from handnet.networks.backbones.inception_v3 import build_inception_v3
from handnet.networks.backbones.report import describe_parameters, digest_weights
from handnet.networks.backbones.residual import build_mini, build_resnet50, build_small
from handnet.networks.backbones.training import list_blocks, set_trainable
from handnet.networks.backbones.vgg import build_vgg16
from handnet.networks.backbones.vit import VitSize, build_vit
from handnet.networks.weights.catalogue import SHIPPED, SHIPPED_ARCHS, find_preset
from handnet.networks.weights.layout import lay_out_convolutional, lay_out_rotary_transformer, lay_out_transformer
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import Pretrained, is_keras_hub_folder, read_pretrained, to_scale_and_offset

__all__ = ["BACKBONES", "build_backbone", "describe_parameters", "digest_weights", "list_blocks", "set_trainable"]

IMAGENET_PIXELS = to_scale_and_offset((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
FACENET_PIXELS = to_scale_and_offset((127.5,) * 3, (128.0,) * 3, factor=1.0)
INCEPTION_PIXELS = to_scale_and_offset((127.5,) * 3, (127.5,) * 3, factor=1.0)


@dataclass(frozen=True, slots=True)
class Backbone:
    """How one architecture is built and filled.

    Attributes:
        build: (image_size_px) -> model; transformers also take `lora_rank`, `lora_alpha`, `drop_path_rate`,
            `recompute` and `seed`.
        lay_out: (state, image_size_px, position_rule) -> arrays by variable path; None where nothing is published.
        is_transformer: whether `build` takes these options.
        has_position_table: whether the photos' size asks for another table than the published one.
        pixels: scale and offset of the pixel values where the weights bring none.
        min_image_px: the smallest image side.
    """

    build: Callable[..., keras.Model]
    lay_out: Callable[[State, int, str], State] | None = None
    is_transformer: bool = False
    has_position_table: bool = False
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET_PIXELS
    min_image_px: int = 32


def build_backbone(
    arch: str,
    *,
    image_size_px: int,
    weights: str = "none",
    position_rule: str = "meta",
    seed: int = 0,
    lora_rank: int = 0,
    lora_alpha: float = 0.0,
    drop_path_rate: float = 0.0,
    recompute: bool = False,
) -> keras.Model:
    """Build a backbone from images (B, S, S, 3), RGB 0..255, uint8 or float, to features (B, F).

    Built again with the same arguments (but `weights="none"` will do) and filled by `load_weights`, it gives the same
    output exactly: pixel normalisation and position table are among the weights.
    The dtype policy is Keras's global one at the time of the call.

    Args:
        arch: a key of `BACKBONES`.
        image_size_px: side of the input; transformers leave out what does not fill a patch.
        weights: "none" (random, from `seed`), "preset" (keras-hub's, from its hub), "handnet-synthetic" (in the package) or
            the path of a file or folder.
        position_rule: how a transformer's position table is resampled: "meta", "huggingface" or "keras".
        seed: of the random weights and of dropped paths.
        lora_rank: rank of the trainable updates of the attention, 0 for none; transformers only.
        lora_alpha: their scale is `lora_alpha / lora_rank`; 0 stands for `lora_rank`.
        drop_path_rate: rate of dropped branches at the last block, in [0, 1); transformers only.
        recompute: gradient checkpointing, block by block; transformers only.

    Raises:
        ConfigError: for an unknown architecture or an option that it does not have.
        WeightsError: where weights are out of reach, damaged or do not fit.
    """
    if arch not in BACKBONES:
        raise ConfigError(format_unknown("backbone", arch, list(BACKBONES)))
    backbone = BACKBONES[arch]
    if image_size_px < backbone.min_image_px:
        raise ConfigError(
            f"`image_size_px` must be at least {backbone.min_image_px} for {arch!r}. Received: {image_size_px}."
        )
    if not backbone.is_transformer and (lora_rank or drop_path_rate or recompute):
        raise ConfigError(
            "LoRA, drop path and recomputation are for the transformers (dino…). Received: "
            f"arch={arch!r}, lora_rank={lora_rank}, drop_path={drop_path_rate:g}, recompute={str(recompute).lower()}."
        )
    if not backbone.has_position_table and position_rule != POSITION_RULES[0]:
        raise ConfigError(
            "`position_rule` is for the networks with a position table (DINOv2). Received: "
            f"arch={arch!r}, position_rule={position_rule!r}."
        )
    # Read first: what is out of reach should not cost the building of a large network.
    pretrained = None if weights == "none" else _read_weights(arch, backbone, weights)
    if backbone.is_transformer:
        model = backbone.build(
            image_size_px,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha or float(lora_rank),
            drop_path_rate=drop_path_rate,
            recompute=recompute,
            seed=seed,
        )
    else:
        model = backbone.build(image_size_px)
    draw_weights(model, seed)
    _set_pixels(model, *backbone.pixels)
    if pretrained is not None and backbone.lay_out is not None:
        assign_state(model, backbone.lay_out(pretrained.state, image_size_px, position_rule), weights)
        if pretrained.pixel_scale:
            _set_pixels(model, pretrained.pixel_scale, pretrained.pixel_offset)
    return model


def read_any_weights(arch: str, weights: str) -> Pretrained:
    """Read weights as `build_backbone` does: "preset" or a path.

    Raises:
        ConfigError: for an unknown architecture.
        WeightsError: where there are none for it, or they are out of reach or damaged.
    """
    if arch not in BACKBONES:
        raise ConfigError(format_unknown("backbone", arch, list(BACKBONES)))
    return _read_weights(arch, BACKBONES[arch], weights)


def draw_weights(model: keras.Model, seed: int) -> None:
    """Draw a model's kernels and tokens anew, the same on every Keras backend.

    Convolutions: normal, variance 2 / fan-out (He). All else that is random: normal with deviation 0.02, cut at twice
    that. LoRA's downward half: normal with variance 1 / width. Biases, norms, scales and LoRA's upward half stay as
    they are built.

    Args:
        model: the model, changed in place.
        seed: of NumPy's generator.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        kind = variable.path.rsplit("/", 1)[-1]
        if kind not in ("kernel", "class_token", "position_table", "register_tokens") or "_lora_up" in variable.path:
            continue
        normal = rng.standard_normal(variable.shape, dtype=np.float32)
        if len(variable.shape) == 4 and not variable.path.startswith("tokens/"):
            fan_out = variable.shape[0] * variable.shape[1] * variable.shape[3]
            variable.assign(normal * np.float32(np.sqrt(2.0 / fan_out)))
        elif "_lora_down" in variable.path:
            variable.assign(normal / np.float32(np.sqrt(variable.shape[0])))
        else:
            variable.assign(np.clip(normal, -2.0, 2.0) * np.float32(0.02))


def _read_weights(arch: str, backbone: Backbone, weights: str) -> Pretrained:
    if backbone.lay_out is None:
        raise WeightsError(
            f"There are no published weights for {arch!r}: train it from scratch with `--weights none`, "
            "or begin with the folder of a run of it."
        )
    if weights == "preset":
        preset = find_preset(arch)
        if not preset:
            raise WeightsError(
                f"keras-hub has no preset for {arch!r}. Give a path (`handnet weights list` says what fits) or `none`."
            )
        return read_preset(preset)
    path = SHIPPED.get(weights, Path(weights))
    if path.is_dir() and is_keras_hub_folder(path):
        return read_preset(weights)
    pretrained = read_pretrained(path)
    if weights in SHIPPED and arch in SHIPPED_ARCHS:
        return pretrained
    if pretrained.arch and pretrained.arch != arch:
        raise WeightsError(
            f"{weights!r} holds weights of {pretrained.arch!r}. Received: arch={arch!r}. Choose {pretrained.arch!r}."
        )
    return pretrained


def _set_pixels(model: keras.Model, scale: tuple[float, ...], offset: tuple[float, ...]) -> None:
    pixels = model.get_layer("pixels")
    pixels.scale.assign(scale)
    pixels.offset.assign(offset)


def _lay_out_table(patch_px: int, antialias: bool) -> Callable[[State, int, str], State]:
    return lambda state, image_size_px, rule: lay_out_transformer(state, image_size_px // patch_px, rule, antialias)


def _convolutional(
    build: Callable[[int], keras.Model],
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET_PIXELS,
    min_image_px: int = 32,
) -> Backbone:
    lay_out = lambda state, _size, _rule: lay_out_convolutional(state)  # noqa: E731
    return Backbone(build, lay_out, pixels=pixels, min_image_px=min_image_px)


def _dino2(size: VitSize, name: str, num_registers: int = 0) -> Backbone:
    # Meta resamples the table of the variants with registers with antialiasing, that of the others without.
    size = replace(size, num_registers=num_registers)
    lay_out = _lay_out_table(size.patch_px, antialias=num_registers > 0)
    return Backbone(partial(build_vit, size, name=name), lay_out, is_transformer=True, has_position_table=True)


def _dino3(size: VitSize, name: str) -> Backbone:
    size = replace(size, patch_px=16, num_registers=4, rope_theta=100.0, epsilon=1e-5)
    lay_out = lambda state, _size, _rule: lay_out_rotary_transformer(state)  # noqa: E731
    return Backbone(partial(build_vit, size, name=name), lay_out, is_transformer=True)


SMALL = VitSize(width=384, num_blocks=12, num_heads=6, hidden_width=1536)
BASE = VitSize(width=768, num_blocks=12, num_heads=12, hidden_width=3072)
LARGE = VitSize(width=1024, num_blocks=24, num_heads=16, hidden_width=4096)
GIANT = VitSize(width=1536, num_blocks=40, num_heads=24, hidden_width=4096, gated=True)
HUGE = VitSize(width=1280, num_blocks=32, num_heads=20, hidden_width=5120, gated=True)
SEVEN_BILLION = VitSize(width=4096, num_blocks=40, num_heads=32, hidden_width=8192, gated=True)
# For tests and trial runs on a CPU; nothing is published for them.
TINY = VitSize(width=64, num_blocks=3, num_heads=2, hidden_width=128)

BACKBONES: dict[str, Backbone] = {
    "hand": Backbone(build_hand, lambda state, _size, _rule: lay_out_hand(state)),
    "hand-photo": Backbone(build_hand_photo, lambda state, _size, _rule: lay_out_hand(state), min_image_px=48),
    "mini": Backbone(build_mini, lambda state, _size, _rule: lay_out_mini(state)),
    "small": Backbone(build_small),
    "resnet50": _convolutional(build_resnet50),
    "vgg16": _convolutional(build_vgg16),
    "inception-v3": _convolutional(build_inception_v3, INCEPTION_PIXELS, min_image_px=75),
    "inception-resnet-v1": _convolutional(build_inception_resnet_v1, FACENET_PIXELS, min_image_px=80),
    "dino": _dino2(BASE, "dino"),
    "dino-small": _dino2(SMALL, "dino-small"),
    "dino-large": _dino2(LARGE, "dino-large"),
    "dino-giant": _dino2(GIANT, "dino-giant"),
    "dino-base-reg": _dino2(BASE, "dino-base-reg", 4),
    "dino-small-reg": _dino2(SMALL, "dino-small-reg", 4),
    "dino-large-reg": _dino2(LARGE, "dino-large-reg", 4),
    "dino-giant-reg": _dino2(GIANT, "dino-giant-reg", 4),
    "dino-tiny": _dino2(TINY, "dino-tiny"),
    "dino-tiny-reg": _dino2(replace(TINY, gated=True), "dino-tiny-reg", 4),
    "dino3-base": _dino3(BASE, "dino3-base"),
    "dino3-small": _dino3(SMALL, "dino3-small"),
    "dino3-small-plus": _dino3(replace(SMALL, gated=True), "dino3-small-plus"),
    "dino3-large": _dino3(LARGE, "dino3-large"),
    "dino3-huge-plus": _dino3(HUGE, "dino3-huge-plus"),
    "dino3-7b": _dino3(SEVEN_BILLION, "dino3-7b"),
    "dino3-tiny": _dino3(TINY, "dino3-tiny"),
    "dino3-tiny-plus": _dino3(replace(TINY, gated=True), "dino3-tiny-plus"),
}
