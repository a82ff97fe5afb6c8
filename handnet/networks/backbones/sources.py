"""What a backbone that joins sources of features consists of, and which picture of a photo it sees. Without Keras."""

from collections.abc import Mapping
from typing import Any

from handnet.config.image import find_tiles_per_side
from handnet.config.presets import merge_trees
from handnet.config.settings import SourceConfig
from handnet.errors import ConfigError
from handnet.networks.backbones import find_backbone
from handnet.networks.backbones.entry import Backbone


def list_used(sources: Mapping[str, SourceConfig]) -> dict[str, SourceConfig]:
    """Return the sources that are not left out; ConfigError where none is left."""
    used = {name: source for name, source in sources.items() if not source.off}
    if not used:
        raise ConfigError("`model.sources` must have a source that is not off. Received none.")
    return used


def is_missing(source: SourceConfig) -> bool:
    """Return whether a source is to be left out where its weights are not on this machine, and they are not."""
    kept = find_backbone(source.backbone).kept
    return source.optional and kept is not None and source.weights in ("", kept.name) and not kept.is_here()


def describe_missing(sources: Mapping[str, SourceConfig]) -> str:
    """Return one line for people: which optional sources are left out, and what brings them; "" where none is."""
    missing = {name: source for name, source in sources.items() if source.off and is_missing(source)}
    if not missing:
        return ""
    kept = {find_backbone(source.backbone).kept for source in missing.values()}
    fetch = ", ".join(f"handnet weights fetch {weights.name}" for weights in kept if weights)
    return (
        f"without the source {' and '.join(missing)}, whose weights are not on this machine: {fetch}, then train again"
    )


def list_crops(sources: Mapping[str, SourceConfig]) -> tuple[str, ...]:
    """Return the different crops that the sources see, in their order: the order of `image.crops`."""
    return tuple(dict.fromkeys(source.crop for source in list_used(sources).values()))


def default_sources(backbone: Backbone) -> dict[str, SourceConfig]:
    """Return the sources of a backbone that joins some, as its entry has them."""
    return {name: SourceConfig(**values) for name, values in backbone.defaults["model"]["sources"].items()}


def lay_picture(tree: Mapping[str, Any], backbone: Backbone, sources: Mapping[str, SourceConfig]) -> dict[str, Any]:
    """Return settings with the picture that the sources need: which crops, and its size where it is not given.

    Args:
        tree: nested settings as the user gave them.
        backbone: that joins sources.
        sources: complete.

    Raises:
        ConfigError: the settings ask for another crop.
    """
    crops = list_crops(sources)
    needed = {"crop": "several", "crops": list(crops)} if len(crops) > 1 else {"crop": crops[0], "crops": []}
    given = tree.get("image", {})
    for key, value in needed.items():
        if key in given and (list(given[key]) if isinstance(given[key], tuple) else given[key]) != value:
            raise ConfigError(
                f"`image.{key}` follows from the crops of `model.sources`: {value!r}. Received: {given[key]!r}. Leave it out, or "
                "change the sources."
            )
    default_crops = list_crops(default_sources(backbone))
    # Each crop keeps its size, however many there are.
    tile_px = backbone.defaults["image"]["size_px"] // find_tiles_per_side(len(default_crops))
    size = {"size_px": tile_px * find_tiles_per_side(len(crops))}
    return merge_trees(tree, {"image": {**size, **given, **needed}})
