"""Where in the picture each feature of a backbone lies, and what it describes: of backbones with features on a grid."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from handnet.networks.backbones.hand.alignment import HandAlignment
from handnet.networks.backbones.hand.descriptor import CELLS as DESCRIPTOR_CELLS
from handnet.networks.backbones.hand.descriptor import GROUPS, ZONES, HandDescriptor, PhotoColours
from handnet.networks.backbones.hand.landmarks import LandmarkDistances, LandmarkPlaces
from handnet.networks.backbones.taps import SOURCES_LAYER, GridPooling

Floats = npt.NDArray[np.float64]
# The grid on which places are told, cells along each side.
GRID = 8
# What the groups of the hand's descriptor are called to a reader.
_WORDS = {
    "luminance, fine": "light and shade",
    "luminance, coarse": "light and shade",
    "texture": "texture",
    "outline": "outline",
    "colour layout": "colour",
    "skin colour": "colour",
    "colour statistics": "colour",
}


class FeatureGroup(NamedTuple):
    """Features that follow one another.

    Attributes:
        name: what they describe; several groups may share a name.
        width: how many.
        owner: (width,) the group's own cell of each feature.
        places: (own cells, GRID²) how much of each own cell lies in each cell of the grid, row by row; rows sum to 1.
            None where they are not known.
    """

    name: str
    width: int
    owner: npt.NDArray[np.int64]
    places: Floats | None


def list_feature_groups(backbone: keras.Model) -> list[FeatureGroup] | None:
    """Return what the features of a backbone describe and where, in their order; None where that is not known.

    Depths of a network and sources of a backbone that joins some are named as the settings name them.

    Args:
        backbone: images (B, S, S, 3) → features (B, F).
    """
    groups = _list_groups(backbone.output, "")
    if groups is not None and joins_sources(backbone):
        # Each source sees a picture of its own: their places are no places of one picture.
        return [group._replace(places=None) for group in groups]
    return groups


def joins_sources(backbone: keras.Model) -> bool:
    """Return whether a backbone joins several sources, each of which sees a picture of its own."""
    return bool(_operation(backbone.output).name == SOURCES_LAYER)


def _list_groups(tensor: Any, source: str) -> list[FeatureGroup] | None:
    """Return the groups of features; `source` is the name of the source that they belong to, or ""."""
    operation, width = _operation(tensor), int(tensor.shape[-1])
    if isinstance(operation, layers.Concatenate):
        parts = _inputs(tensor)
        depths = not source and all(isinstance(_operation(part), GridPooling) for part in parts)
        found = [
            _list_groups(part, _operation(part).name.removesuffix("_cells") if depths else source) for part in parts
        ]
        known = [groups for groups in found if groups is not None]
        return [group for groups in known for group in groups] if len(known) == len(found) else None
    if isinstance(operation, layers.Identity) and isinstance(_operation(_inputs(tensor)[0]), keras.Model):
        return _list_groups(_operation(_inputs(tensor)[0]).output, operation.name)
    if isinstance(operation, HandDescriptor):
        return _list_descriptor()
    if isinstance(operation, PhotoColours):
        return [FeatureGroup("colours of the whole photo", width, np.zeros(width, np.int64), None)]
    if isinstance(operation, LandmarkPlaces | LandmarkDistances):
        return [FeatureGroup("landmarks", width, np.zeros(width, np.int64), None)]
    if isinstance(operation, layers.Flatten) and len(_inputs(tensor)[0].shape) == 4:
        (cells,) = _inputs(tensor)
        return [lay_cells("network", int(cells.shape[1]), int(cells.shape[3]))]
    if isinstance(operation, GridPooling):
        return [lay_cells(source or "network", operation.cells, width // operation.cells**2)]
    if isinstance(operation, layers.GlobalAveragePooling2D):
        return [lay_cells(source or "network", 1, width)]
    return None


def find_pooled_map(backbone: keras.Model) -> Any:
    """Return the map (B, H, H, C) whose mean over places the features are; None where they are something else."""
    if not isinstance(_operation(backbone.output), layers.GlobalAveragePooling2D):
        return None
    (maps,) = _inputs(backbone.output)
    return maps if maps.shape[1] == maps.shape[2] else None


def find_described_picture(backbone: keras.Model) -> Any:
    """Return the tensor (B, S, S, 3) in whose places the features lie: the aligned hand, or the input."""
    aligned = [layer for layer in backbone.layers if isinstance(layer, HandAlignment)]
    return aligned[0].output if len(aligned) == 1 and not joins_sources(backbone) else backbone.input


def spread_cells(cells: int) -> Floats:
    """Return how much of each cell of a coarser or finer grid lies in each cell of GRID × GRID, (cells², GRID²)."""
    edges, own = np.arange(GRID + 1) / GRID, np.arange(cells + 1) / cells
    overlap = np.minimum(own[1:, None], edges[None, 1:]) - np.maximum(own[:-1, None], edges[None, :-1])
    line = np.maximum(overlap, 0.0) * cells
    return np.einsum("ac,bd->abcd", line, line).reshape(cells**2, GRID**2)


def lay_cells(name: str, cells: int, channels: int) -> FeatureGroup:
    """Return the features of a grid of cells × cells places with some channels each."""
    # The channels of a cell follow one another.
    return FeatureGroup(name, cells**2 * channels, np.repeat(np.arange(cells**2), channels), spread_cells(cells))


def _list_descriptor() -> list[FeatureGroup]:
    places, groups = spread_cells(DESCRIPTOR_CELLS), []
    middles = (np.arange(GRID) + 0.5) / GRID
    row, column = np.meshgrid(middles, middles, indexing="ij")
    zones = np.stack([zone(row, column).ravel().astype(float) for zone in ZONES])
    for group in GROUPS:
        if group.width % DESCRIPTOR_CELLS**2 == 0:
            # The cells of an orientation or a colour follow one another.
            owner = np.tile(np.arange(DESCRIPTOR_CELLS**2), group.width // DESCRIPTOR_CELLS**2)
            groups.append(FeatureGroup(_WORDS[group.name], group.width, owner, places))
        else:
            # The numbers of a zone, evenly over it.
            owner = np.repeat(np.arange(len(ZONES)), group.width // len(ZONES))
            spread = zones / zones.sum(axis=1, keepdims=True)
            groups.append(FeatureGroup(_WORDS[group.name], group.width, owner, spread))
    return groups


def _operation(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _inputs(tensor: Any) -> list[Any]:
    history = tensor._keras_history
    return list(history.operation._inbound_nodes[history.node_index].input_tensors)
