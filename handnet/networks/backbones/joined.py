"""A backbone that joins sources of features: networks, each with its own weights, on crops of one photo."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import layers

from handnet.config.image import find_tiles_per_side
from handnet.config.settings import SourceConfig
from handnet.networks.backbones.hand.alignment import HandAlignment
from handnet.networks.backbones.hand.resizing import Resize
from handnet.networks.backbones.sources import list_crops, list_used
from handnet.networks.backbones.taps import SOURCES_LAYER

# A source's network: settings, side of what it sees → photos in, features out.
BuildNetwork = Callable[[SourceConfig, int], keras.Model]


def join_sources(
    arch: str,
    image_size_px: int,
    sources: Mapping[str, SourceConfig],
    build_network: BuildNetwork,
    alignment: Mapping[str, Any],
) -> keras.Model:
    """Build the backbone for the picture that `image.crops` lay out.

    Sources of the same network share it, and those that align the same crop share that.

    Args:
        arch: its name.
        image_size_px: side of the square picture.
        sources: by name; each becomes a source of the head under this name.
        build_network: builds a source's network and fills it.
        alignment: template, gain and decay of `HandAlignment`, by name; empty where weights are loaded later.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, F), the sources' one after another.
    """
    used, crops = list_used(sources), list_crops(sources)
    side = find_tiles_per_side(len(crops))
    tile_px = image_size_px // side
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    seen: dict[Any, Any] = {}
    networks: dict[Any, keras.Model] = {}
    parts = []
    for name, source in used.items():
        if source.crop not in seen:
            row, column = divmod(crops.index(source.crop), side)
            seen[source.crop] = _cut(images, row * tile_px, column * tile_px, tile_px, f"{source.crop}_crop")
        picture = seen[source.crop]
        if source.align:
            if (source.crop, "aligned") not in seen:
                seen[source.crop, "aligned"] = _align(picture, f"{source.crop}_alignment", alignment)
            picture = seen[source.crop, "aligned"]
        size_px = source.size_px or tile_px
        if size_px != tile_px:
            picture = Resize(size_px, name=f"{name}_resize")(picture)
        key = source.backbone, source.weights, size_px, tuple(source.taps.items())
        if key not in networks:
            # Named by its place: two of one backbone, at different depths, would have the same name.
            network = build_network(source, size_px)
            networks[key] = keras.Model(network.input, network.output, name=f"network{len(networks)}")
        parts.append(layers.Identity(name=name, dtype="float32")(networks[key](picture)))
    joined = layers.Concatenate(name=SOURCES_LAYER, dtype="float32")(parts) if len(parts) > 1 else parts[0]
    return keras.Model(images, joined, name=arch)


def _cut(images: Any, top: int, left: int, size_px: int, name: str) -> Any:
    whole = images.shape[1]
    if size_px == whole:
        return images
    bottom, right = whole - top - size_px, whole - left - size_px
    return layers.Cropping2D(((top, bottom), (left, right)), name=name)(images)


def _align(picture: Any, name: str, values: Mapping[str, Any]) -> Any:
    layer = HandAlignment(name=name)
    aligned = layer(picture)
    for variable in layer.weights:
        if values:
            variable.assign(values[variable.name])
    return aligned
