"""Settings completed by what the chosen backbone and loss ask for, and checked. Without TensorFlow."""

from collections.abc import Mapping
from typing import Any

from handnet.config.presets import complete_tree
from handnet.config.settings import Config
from handnet.config.toml import parse_config
from handnet.networks.heads import select_head


def complete_config(tree: Mapping[str, Any]) -> Config:
    """Return the settings of a tree, completed by the defaults of its backbone and loss.

    Raises:
        ConfigError: an unknown setting or head, a value out of range, or settings that do not suit each other.
    """
    config = parse_config(complete_tree(tree))
    select_head(config.model)
    return config
