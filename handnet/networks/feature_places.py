"""Where in the picture each feature of a backbone lies, and what it describes: of backbones with features on a grid."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from handnet.networks.backbones.hand.alignment import HandAlignment
from handnet.networks.backbones.hand.descriptor import CELLS as DESCRIPTOR_CELLS
from handnet.networks.backbones.hand.descriptor import GROUPS, ZONES, HandDescriptor
from handnet.networks.backbones.taps import GridPooling

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
    """

    name: str
    width: int
    owner: npt.NDArray[np.int64]
    places: Floats


def list_feature_groups(backbone: keras.Model) -> list[FeatureGroup] | None:
    """Return what the features of a backbone describe and where, in their order; None where they are on no grid.

    Args:
        backbone: images (B, S, S, 3) → features (B, F).
    """
    output = backbone.output
    parts = _inputs(output) if isinstance(_operation(output), layers.Concatenate) else [output]
    groups: list[FeatureGroup] = []
    for part in parts:
        operation = _operation(part)
        if isinstance(operation, HandDescriptor):
            groups += _list_descriptor()
        elif isinstance(operation, layers.Flatten) and len(_inputs(part)[0].shape) == 4:
            (cells,) = _inputs(part)
            groups.append(_lay_cells("network", int(cells.shape[1]), int(cells.shape[3])))
        elif isinstance(operation, GridPooling):
            groups.append(_lay_cells("network", operation.cells, int(part.shape[-1]) // operation.cells**2))
        else:
            return None
    return groups


def find_described_picture(backbone: keras.Model) -> Any:
    """Return the tensor (B, S, S, 3) in whose places the features lie: the aligned hand, or the input."""
    aligned = [layer for layer in backbone.layers if isinstance(layer, HandAlignment)]
    return aligned[0].output if len(aligned) == 1 else backbone.input


def spread_cells(cells: int) -> Floats:
    """Return how much of each cell of a coarser or finer grid lies in each cell of GRID × GRID, (cells², GRID²)."""
    edges, own = np.arange(GRID + 1) / GRID, np.arange(cells + 1) / cells
    overlap = np.minimum(own[1:, None], edges[None, 1:]) - np.maximum(own[:-1, None], edges[None, :-1])
    line = np.maximum(overlap, 0.0) * cells
    return np.einsum("ac,bd->abcd", line, line).reshape(cells**2, GRID**2)


def _lay_cells(name: str, cells: int, channels: int) -> FeatureGroup:
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
