"""Settings completed by what the chosen backbone and loss ask for, and checked. Without TensorFlow."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from handnet.config.presets import LOSS_DEFAULTS, merge_trees
from handnet.config.settings import Config, SourceConfig
from handnet.config.toml import check_section, parse_config
from handnet.errors import ConfigError, WeightsError, format_unknown, show_value
from handnet.images.hand_finder import NEW_TRAININGS, choose_hand_finder
from handnet.networks.backbones import BACKBONES, find_backbone
from handnet.networks.backbones.entry import Backbone
from handnet.networks.backbones.sources import is_missing, lay_picture
from handnet.networks.heads import select_head
from handnet.networks.unused_settings import check_unused
from handnet.networks.weights.catalogue import SHIPPED

# As `model.taps`: the depths that the backbone's entry names.
_MIDDLE = "middle"


def complete_config(tree: Mapping[str, Any]) -> Config:
    """Return the settings of a tree over the defaults of its backbone and loss.

    Args:
        tree: nested settings, `model.arch` and `loss.name` among them or not ("small" and "triplet" then); what it says
            stands. Paths in it that exist become those of the files and folders themselves, without `..` and links: a run
            keeps them, and they hold in another working folder too.

    Raises:
        ConfigError: an unknown setting, backbone or head, a value out of range, or settings that do not suit each other.
        WeightsError: a path of weights leads nowhere.
    """
    for section, values in tree.items():
        if not isinstance(values, Mapping):
            check_section(section)
            raise ConfigError(f"Expected a section for {section!r}. Received: {show_value(values)}.")
    arch = _find_text(tree, "model", "arch", "small")
    loss = _find_text(tree, "loss", "name", "triplet")
    backbone = find_backbone(arch)
    tree = _spell_out_middle(tree, arch)
    under = merge_trees(merge_trees(NEW_TRAININGS, backbone.defaults), LOSS_DEFAULTS.get(loss, {}))
    if backbone.joins_sources:
        # Parsed once for the sources alone: which picture they need is known then.
        named = merge_trees(under, tree)["model"]["sources"]
        _check_new_sources(named, backbone, arch)
        sources = parse_config({"model": {"sources": named}}).model.sources
        _check_sources(sources)
        left_out = {name: {"off": True} for name, source in sources.items() if not source.off and is_missing(source)}
        tree = merge_trees(tree, {"model": {"sources": left_out}})
        sources = {name: replace(source, off=source.off or name in left_out) for name, source in sources.items()}
        tree = lay_picture(tree, backbone, sources)
    config = parse_config(merge_trees(under, tree))
    _check_weights("model.weights", config.model.weights)
    if config.model.sources and not backbone.joins_sources:
        joining = ", ".join(name for name, entry in BACKBONES.items() if entry.joins_sources)
        raise ConfigError(f"`model.sources` are for the backbones that join some: {joining}. Received: arch={arch!r}.")
    select_head(config.model)
    check_unused(tree, under, config.model.head)
    # Here, and by the photos when a training begins, not where they are decoded: a run never changes its crops by what lies in
    # the cache.
    return _resolve_paths(replace(config, image=choose_hand_finder(config.image)))


def _find_text(tree: Mapping[str, Any], section: str, key: str, default: str) -> str:
    value = tree.get(section, {}).get(key, default)
    if not isinstance(value, str):
        raise ConfigError(f"`{section}.{key}` must be text. Received: {show_value(value)}.")
    return value


def _check_new_sources(named: Any, backbone: Backbone, arch: str) -> None:
    """Refuse a source without a backbone: mostly one by default that is misspelt."""
    own = backbone.defaults["model"]["sources"]
    for name, source in named.items() if isinstance(named, Mapping) else ():
        if isinstance(source, Mapping) and "backbone" not in source:
            raise ConfigError(
                f"`model.sources.{name}` must name its backbone, or be one of the sources of {arch!r}: {', '.join(own)}. "
                f"Received: {dict(source)}."
            )


def _check_weights(key: str, weights: str) -> None:
    """Refuse a path that leads nowhere before photos are decoded; a word may be a name, and is looked up with its network."""
    if os.sep in weights and not os.path.exists(weights):
        raise WeightsError(
            f"No weights at {show_value(weights)} (`{key}`). Give a file or folder, or a name: handnet weights list."
        )


def _check_sources(sources: Mapping[str, SourceConfig]) -> None:
    """Refuse networks that cannot be a source before one is built: only their entries say so."""
    single = [name for name, entry in BACKBONES.items() if not entry.joins_sources]
    for name, source in sources.items():
        if source.off:
            continue
        key = f"model.sources.{name}"
        if source.backbone not in single:
            raise ConfigError(format_unknown(f"value of {key}.backbone:", source.backbone, single))
        _check_weights(f"{key}.weights", source.weights)
        smallest = BACKBONES[source.backbone].min_image_px
        if 0 < source.size_px < smallest:
            raise ConfigError(
                f"`{key}.size_px` must be at least {smallest} for {source.backbone!r}, or 0 for the crop's own size. "
                f"Received: {source.size_px}."
            )


def _spell_out_middle(tree: Mapping[str, Any], arch: str) -> Mapping[str, Any]:
    """Return the settings with depths where they say "middle", so that a run keeps its depths should the entry change."""
    model = tree.get("model", {})
    defaults = find_backbone(arch).defaults["model"]
    model = _spell_out(model, "model", arch, defaults.get("taps", {}))
    sources = model.get("sources", {})
    own = defaults.get("sources", {})
    for name, source in sources.items() if isinstance(sources, Mapping) else ():
        if isinstance(source, Mapping):
            under = own.get(name, {})
            backbone = source.get("backbone", under.get("backbone", ""))
            source = _spell_out(source, f"model.sources.{name}", backbone, under.get("taps", {}))
            model = {**model, "sources": {**model["sources"], name: source}}
    return {**tree, "model": model} if model else tree


def _spell_out(values: Mapping[str, Any], key: str, arch: Any, default_taps: Mapping[str, int]) -> Mapping[str, Any]:
    """Return a section with the middle depths where its taps say so, and 0 cells for those that would be laid under them."""
    taps = values.get("taps", {})
    if isinstance(taps, Mapping):
        return values
    if taps != _MIDDLE:
        raise ConfigError(f'`{key}.taps` must be "middle", or depths: {{BLOCK = CELLS, …}}. Received: {taps!r}.')
    known = [name for name, entry in BACKBONES.items() if entry.middle]
    if arch not in known:
        raise ConfigError(
            f'`{key}.taps = "middle"` is for: {", ".join(known)}. Received: {arch!r}. Name its depths: {{BLOCK = CELLS, …}}.'
        )
    return {**values, "taps": {**dict.fromkeys(default_taps, 0), **BACKBONES[arch].middle}}


def _resolve_paths(config: Config) -> Config:
    data, model, augment = config.data, config.model, config.augment
    options = dict(data.split_options)
    if data.split == "file" and isinstance(options.get("path"), str | Path):
        options["path"] = _resolve(str(options["path"]))
    weights = _resolve_weights(model.weights, model.arch)
    sources = {
        name: replace(source, weights=_resolve_weights(source.weights, source.backbone))
        for name, source in model.sources.items()
        if source.weights
    }
    return replace(
        config,
        data=replace(data, path=_resolve(data.path), split_options=options),
        model=replace(model, weights=weights, sources={**model.sources, **sources}),
        augment=replace(augment, background_folder=_resolve(augment.background_folder)),
    )


def _resolve_weights(weights: str, arch: str) -> str:
    """Return a path without links; a name stays as it is, even where a folder is called so."""
    backbone = find_backbone(arch)
    kept = [backbone.kept.name] if backbone.kept else []
    is_name = weights in ("none", "preset", "pip", *SHIPPED, *backbone.shipped, *kept)
    return weights if is_name else _resolve(weights)


def _resolve(path: str) -> str:
    return os.path.realpath(path) if path and os.path.exists(path) else path
