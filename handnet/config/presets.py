"""The settings that follow from the choice of the loss, and how settings are laid over others."""

from collections.abc import Mapping
from typing import Any

from handnet.errors import ConfigError, format_unknown

Tree = Mapping[str, Any]

LOSS_DEFAULTS: dict[str, Tree] = {
    "contrastive": {
        "sampler": {"pairs_per_batch": 64, "positive_fraction": 0.5},
        "loss": {"options": {"margin": 2.0}},
    },
    "triplet": {
        "sampler": {"people_per_batch": 8, "photos_per_view": 1},
        "loss": {"options": {"margin": 0.5}},
    },
}


def merge_trees(under: Tree, over: Tree) -> dict[str, Any]:
    """Merge nested settings; where both have a value, that of `over` stands."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge_trees(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def check_name(kind: str, name: str, valid: Mapping[str, object]) -> None:
    """Raise ConfigError, with the nearest valid name, where `name` is not a key of `valid`."""
    if name not in valid:
        raise ConfigError(format_unknown(kind, name, valid))
