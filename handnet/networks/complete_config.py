"""Settings completed by what the chosen backbone and loss ask for, and checked. Without TensorFlow."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from handnet.config.presets import LOSS_DEFAULTS, merge_trees
from handnet.config.settings import Config
from handnet.config.toml import parse_config
from handnet.errors import ConfigError
from handnet.images.hand_finder import NEW_TRAININGS, choose_hand_finder
from handnet.networks.backbones import BACKBONES, find_backbone
from handnet.networks.backbones.sources import lay_picture
from handnet.networks.heads import select_head
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
    """
    arch = tree.get("model", {}).get("arch", "small")
    loss = tree.get("loss", {}).get("name", "triplet")
    if not isinstance(arch, str):
        raise ConfigError(f"`model.arch` must be of type str. Received: {arch!r}.")
    backbone = find_backbone(arch)
    tree = _spell_out_middle(tree, arch)
    under = merge_trees(merge_trees(NEW_TRAININGS, backbone.defaults), LOSS_DEFAULTS.get(loss, {}))
    if backbone.joins_sources:
        # Parsed once for the sources alone: which picture they need is known then.
        sources = parse_config({"model": {"sources": merge_trees(under, tree)["model"]["sources"]}}).model.sources
        tree = lay_picture(tree, backbone, sources)
    config = parse_config(merge_trees(under, tree))
    if config.model.sources and not backbone.joins_sources:
        joining = ", ".join(name for name, entry in BACKBONES.items() if entry.joins_sources)
        raise ConfigError(f"`model.sources` are for the backbones that join some: {joining}. Received: arch={arch!r}.")
    select_head(config.model)
    # Here, and by the photos when a training begins, not where they are decoded: a run never changes its crops by what lies in
    # the cache.
    return _resolve_paths(replace(config, image=choose_hand_finder(config.image)))


def _spell_out_middle(tree: Mapping[str, Any], arch: str) -> Mapping[str, Any]:
    """Return the settings with depths where they say "middle", so that a run keeps its depths should the entry change."""
    model = tree.get("model", {})
    defaults = find_backbone(arch).defaults["model"]
    if model.get("taps") == _MIDDLE:
        model = {**model, "taps": _find_middle(arch, defaults.get("taps", {}))}
    sources = model.get("sources", {})
    own = defaults.get("sources", {})
    for name, source in sources.items() if isinstance(sources, Mapping) else ():
        if isinstance(source, Mapping) and source.get("taps") == _MIDDLE:
            under = own.get(name, {})
            taps = _find_middle(source.get("backbone", under.get("backbone", "")), under.get("taps", {}))
            model = {**model, "sources": {**model["sources"], name: {**source, "taps": taps}}}
    return {**tree, "model": model} if model else tree


def _find_middle(arch: str, default_taps: Mapping[str, int]) -> dict[str, int]:
    """Return the middle depths of a backbone, and 0 cells for those that would be laid under them."""
    middle = find_backbone(arch).middle
    if not middle:
        known = ", ".join(name for name, entry in BACKBONES.items() if entry.middle)
        raise ConfigError(
            f'`model.taps = "middle"` is for: {known}. Received: {arch!r}. Name its depths: {{BLOCK = CELLS, …}}.'
        )
    return {**dict.fromkeys(default_taps, 0), **middle}


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
    is_name = weights in ("none", "preset", "pip", *SHIPPED, *find_backbone(arch).shipped)
    return weights if is_name else _resolve(weights)


def _resolve(path: str) -> str:
    return os.path.realpath(path) if path and os.path.exists(path) else path
