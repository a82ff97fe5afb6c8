"""Backbones: photos in, features out, with the pixel normalisation inside. Without Keras until one is built.

Every network is built in Keras under the names of its reference implementation. Any source of weights is brought to
these names (`networks.weights.names`), laid out for Keras (`networks.weights.layout`) and must fit whole. A backbone is
added by one entry, which says all about it: builder, blocks, default settings, renaming, published weights.
"""

from handnet.errors import ConfigError, format_unknown
from handnet.networks.backbones.convolutional import CONVOLUTIONAL
from handnet.networks.backbones.entry import Backbone
from handnet.networks.backbones.own import OWN
from handnet.networks.backbones.vision_transformer.dino import DINO

BACKBONES: dict[str, Backbone] = {**OWN, **CONVOLUTIONAL, **DINO}


def find_backbone(arch: str) -> Backbone:
    """Return the entry of a backbone; ConfigError, with the nearest name, where there is none."""
    if arch not in BACKBONES:
        raise ConfigError(format_unknown("backbone", arch, list(BACKBONES)))
    return BACKBONES[arch]
