"""Features from the middle of a backbone: the maps of several depths, each averaged on a grid of places."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

from handnet.errors import ConfigError, format_unknown
from handnet.metrics.joined_lda import Source
from handnet.networks.backbones.hand.alignment import gaussian_rows
from handnet.networks.backbones.hand.landmarks import LandmarkDistances, LandmarkPlaces
from handnet.networks.backbones.trainable import find_block_outputs

# Half the width of a cell: neighbours overlap, and a hand that lies a little elsewhere changes little.
_SIGMA_CELLS = 0.5
# Tokens before those of the patches: the class token, and four registers with some.
_TOKENS_BEFORE = (1, 5)
# The last layer of a backbone that joins sources, and of one whose features are one source of several groups.
SOURCES_LAYER = "sources"


@keras.saving.register_keras_serializable("handnet")
class GridPooling(layers.Layer):
    """Averages a map, or the patch tokens of a transformer, on a grid of Gaussian windows; float32 under every policy.

    Args:
        cells: cells along each side of the grid.
        name: layer name.
    """

    def __init__(self, cells: int, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})
        self.cells = cells

    def call(self, inputs: Any) -> Any:
        """Return (B, cells² · C) of maps (B, H, W, C) or tokens (B, T, C), row by row."""
        maps = ops.cast(inputs, "float32")
        if len(maps.shape) == 3:
            side = find_patch_side(maps.shape[1])
            maps = ops.reshape(maps[:, maps.shape[1] - side * side :], (-1, side, side, maps.shape[2]))
        down, right = (gaussian_rows(size, self.cells, _SIGMA_CELLS * size / self.cells) for size in maps.shape[1:3])
        # Two matrix products: (B, C, H, W) → (B, C, cells, cells).
        pooled = ops.matmul(ops.matmul(down, ops.transpose(maps, (0, 3, 1, 2))), right.T)
        return ops.reshape(ops.transpose(pooled, (0, 2, 3, 1)), (-1, self.cells**2 * maps.shape[3]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, cells² · C)."""
        channels = input_shape[-1]
        assert channels is not None, "a map has a known number of channels"
        return (input_shape[0], self.cells**2 * channels)

    def get_config(self) -> dict[str, Any]:
        """Return the options, for Keras."""
        return {**super().get_config(), "cells": self.cells}


def find_patch_side(num_tokens: int) -> int:
    """Return how many patches lie along each side of a square photo, from a transformer's number of tokens."""
    for before in _TOKENS_BEFORE:
        side = math.isqrt(max(num_tokens - before, 0))
        if side and side * side == num_tokens - before:
            return side
    raise ConfigError(f"`model.taps` needs a square of patch tokens. Received: {num_tokens} tokens.")


def tap_backbone(backbone: keras.Model, taps: Mapping[str, Any]) -> keras.Model:
    """Return the backbone up to the deepest tap, its features those of the taps in the order of the network.

    Args:
        backbone: images (B, S, S, 3) → features.
        taps: block or layer → cells along each side of the grid; 0 leaves one out.

    Returns:
        A model of the same layers, images → (B, F), the groups joined by a layer "features".

    Raises:
        ConfigError: an unknown block or layer, or one that gives no map.
    """
    wanted = {name: int(cells) for name, cells in taps.items() if cells}
    if not wanted:
        return backbone
    pooled = pool_taps({name: find_tap(backbone, name) for name in sort_taps(backbone, wanted)}, wanted)
    return keras.Model(backbone.input, pooled, name=backbone.name)


def sort_taps(backbone: keras.Model, taps: Mapping[str, int]) -> list[str]:
    """Return the names in the order of the network, so that features do not depend on the order of the settings."""
    order = {layer.name: place for place, layer in enumerate(backbone.layers)}
    return sorted(taps, key=lambda name: order[find_tap_layer(backbone, name)])


def find_tap_layer(backbone: keras.Model, name: str) -> str:
    """Return the layer of that name, or the last one of the block of that name."""
    names = {layer.name: layer.name for layer in backbone.layers}
    blocks = find_block_outputs(backbone)
    known = {**names, **blocks}
    if name not in known:
        # Hundreds of layers would hide the blocks, which are what one mostly wants.
        kind = f"block or layer of {backbone.name!r} in `model.taps`"
        raise ConfigError(format_unknown(kind, name, blocks or names, names))
    return known[name]


def find_tap(backbone: keras.Model, name: str) -> Any:
    """Return the output of a block or layer: a map (B, H, W, C), or tokens (B, T, C)."""
    output = backbone.get_layer(find_tap_layer(backbone, name)).output
    if isinstance(output, list | tuple) or len(output.shape) not in (3, 4):
        raise ConfigError(
            f"`model.taps` takes maps or tokens. Received: {name!r} of {backbone.name!r}, which gives neither."
        )
    return output


def pool_taps(maps: Mapping[str, Any], cells: Mapping[str, int], prefix: str = "", name: str = "features") -> Any:
    """Return the pooled maps joined, (B, F) float32."""
    groups = [GridPooling(cells[key], name=f"{prefix}{key}_cells")(value) for key, value in maps.items()]
    return layers.Concatenate(name=name, dtype="float32")(groups) if len(groups) > 1 else groups[0]


def list_sources(backbone: keras.Model) -> tuple[Source, ...]:
    """Return what the features of a backbone consist of, in their order.

    A backbone that ends with a layer "sources" joins several; any other is one. Grids that are joined are groups of a source, and
    so are places and distances of landmarks.
    """
    last = backbone.output
    parts = _inputs(last) if _operation(last).name == SOURCES_LAYER else [last]
    return tuple(_describe(part, backbone.name) for part in parts)


def _describe(tensor: Any, name: str) -> Source:
    operation = _operation(tensor)
    if isinstance(operation, layers.Identity):
        # A source of a backbone that joins networks.
        (network_output,) = _inputs(tensor)
        network = _operation(network_output)
        return _describe(network.output, network.name)._replace(name=operation.name)
    groups = _inputs(tensor) if isinstance(operation, layers.Concatenate) else []
    widths = tuple(int(group.shape[-1]) for group in groups)
    if groups and all(isinstance(_operation(group), LandmarkPlaces | LandmarkDistances) for group in groups):
        # Laid by the palm and mirrored, they say little of the view, and in a crop that stands on its head the wrong one.
        return Source(operation.name, widths, tells_view=False)
    if groups and all(isinstance(_operation(group), GridPooling) for group in groups):
        return Source(operation.name, widths)
    return Source(operation.name if operation.name != "features" else name, (int(tensor.shape[-1]),))


def _operation(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _inputs(tensor: Any) -> list[Any]:
    history = tensor._keras_history
    return list(history.operation._inbound_nodes[history.node_index].input_tensors)
