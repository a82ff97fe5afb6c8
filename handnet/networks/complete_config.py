"""Settings completed by what the chosen backbone and loss ask for, and checked. Without TensorFlow."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from handnet.config.presets import LOSS_DEFAULTS, merge_trees
from handnet.config.settings import Config
from handnet.config.toml import parse_config
from handnet.errors import ConfigError
from handnet.images.hand_finder import choose_hand_finder
from handnet.networks.backbones import BACKBONES, find_backbone
from handnet.networks.backbones.sources import lay_picture
from handnet.networks.heads import select_head


def complete_config(tree: Mapping[str, Any]) -> Config:
    """Return the settings of a tree over the defaults of its backbone and loss.

    Args:
        tree: nested settings, `model.arch` and `loss.name` among them or not ("small" and "triplet" then); what it says
            stands.

    Raises:
        ConfigError: an unknown setting, backbone or head, a value out of range, or settings that do not suit each other.
    """
    arch = tree.get("model", {}).get("arch", "small")
    loss = tree.get("loss", {}).get("name", "triplet")
    if not isinstance(arch, str):
        raise ConfigError(f"`model.arch` must be of type str. Received: {arch!r}.")
    backbone = find_backbone(arch)
    under = merge_trees(backbone.defaults, LOSS_DEFAULTS.get(loss, {}))
    if backbone.joins_sources:
        # Parsed once for the sources alone: which picture they need is known then.
        sources = parse_config({"model": {"sources": merge_trees(under, tree)["model"]["sources"]}}).model.sources
        tree = lay_picture(tree, backbone, sources)
    config = parse_config(merge_trees(under, tree))
    if config.model.sources and not backbone.joins_sources:
        joining = ", ".join(name for name, entry in BACKBONES.items() if entry.joins_sources)
        raise ConfigError(f"`model.sources` are for the backbones that join some: {joining}. Received: arch={arch!r}.")
    select_head(config.model)
    # Here and not where photos are decoded: a run never changes its crops by what lies in the cache.
    return replace(config, image=choose_hand_finder(config.image))
