"""The hand's own backbone: aligned to a mean hand, described by fixed features and by networks trained on synthetic hands."""

from typing import Any

import keras
import numpy as np
from keras import layers

from handnet.networks.backbones.hand.alignment import HandAlignment, find_gain
from handnet.networks.backbones.hand.descriptor import HandDescriptor, PhotoColours
from handnet.networks.backbones.hand.resizing import Resize
from handnet.networks.backbones.pixels import PixelNormalization
from handnet.networks.backbones.residual import stack_mini
from handnet.networks.backbones.taps import SOURCES_LAYER
from handnet.networks.weights.layout import lay_out_convolutional
from handnet.networks.weights.pth import State

# The networks see pictures of this side, at every size of the input.
NETWORK_PX = 96
# The second network's layers are named so; it was trained with other augmentation.
SECOND = "second_"


def build_hand(image_size_px: int) -> keras.Model:
    """Build the backbone for `image.crop = "hand-canonical"`: hands on white, upright, the thumb on the left.

    Args:
        image_size_px: side of the square input, from 32; made for 128.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 4760): 2,456 of the descriptor and 1,152 of each of two
        networks `mini` at 96 px.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    return keras.Model(images, _join(_describe_hands(HandAlignment()(images))), name="hand")


def build_hand_photo(image_size_px: int) -> keras.Model:
    """Build the backbone for `image.crop = "hand-and-photo"`: that of the hand, and the colours of the whole photo.

    Args:
        image_size_px: side of the square input, from 48; made for 192.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 4952): two sources, the 4,760 of `build_hand` and 192
        colours.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    hand, photo = _split(images)
    described = _join(_describe_hands(HandAlignment()(hand)), "hand_features")
    return keras.Model(images, _join([described, PhotoColours()(photo)], SOURCES_LAYER), name="hand-photo")


def build_photo_colours(image_size_px: int) -> keras.Model:
    """Build the colours of a whole photo as a backbone of their own, to be joined with others.

    Args:
        image_size_px: side of the square input; made for 64.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 192); nothing in it is learnt.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    return keras.Model(images, PhotoColours(name="features")(PixelNormalization()(images)), name="photo-colours")


def _split(images: Any) -> tuple[Any, Any]:
    """Return the hand and the photo that the crop "hand-and-photo" has laid into one picture."""
    size, third = images.shape[1], images.shape[1] // 3
    hand = layers.Cropping2D(((0, third), (0, third)), name="hand_part")(images)
    photo = layers.Cropping2D(((size - third, 0), (size - third, 0)), name="photo_part")(images)
    return hand, photo


def _describe_hands(aligned: Any) -> list[Any]:
    seen = PixelNormalization()(Resize(NETWORK_PX)(aligned))
    return [HandDescriptor()(aligned), stack_mini(seen), stack_mini(seen, SECOND)]


def _join(parts: list[Any], name: str = "features") -> Any:
    return layers.Concatenate(name=name, dtype="float32")(parts)


def lay_out_hand(state: State) -> State:
    """Lay out the weights of `hand`: the template of the outline, what follows from it, and the networks'.

    Args:
        state: `alignment.template` (32, 32) and the networks' arrays under torch's names.

    Returns:
        float32 arrays by Keras variable path.
    """
    laid = lay_out_convolutional(state)
    if "alignment/template" in laid:
        laid["alignment/gain"], laid["alignment/decay"] = find_gain(np.asarray(laid["alignment/template"], np.float32))
    return laid


def lay_out_mini(state: State) -> State:
    """Lay out the weights of `mini`: of those of `hand`, the first network alone."""
    laid = lay_out_convolutional(state)
    return {path: array for path, array in laid.items() if not path.startswith(("alignment/", SECOND))}
