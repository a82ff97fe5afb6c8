"""The hand's own backbone: aligned to a mean hand, described by fixed features and by networks trained on synthetic hands."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from handnet.networks.backbones.efficientnet_lite import lay_out_efficientnet_lite, stack_efficientnet_lite
from handnet.networks.backbones.hand.alignment import HandAlignment, find_gain
from handnet.networks.backbones.hand.descriptor import REFERENCE_PX, HandDescriptor, PhotoColours, resize_rows
from handnet.networks.backbones.pixels import PixelNormalization
from handnet.networks.backbones.residual import stack_mini
from handnet.networks.backbones.taps import SOURCES_LAYER, pool_taps
from handnet.networks.weights.layout import lay_out_convolutional
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import to_scale_and_offset

# The networks see pictures of this side, at every size of the input.
NETWORK_PX = 96
# The second network's layers are named so; it was trained with other augmentation.
SECOND = "second_"
# And those of EfficientNet-Lite2 so; its depths, and cells along each side of the grid on which their maps are averaged.
PRETRAINED = "lite_"
HAND_TAPS = {"block4": 7, "block7": 7, "block10": 7, "block12": 5, "block14": 5, "block17": 4}


@keras.saving.register_keras_serializable("handnet")
class Resize(keras.layers.Layer):
    """Resizes square pictures with antialiasing by two matrix products, the same on every backend."""

    def __init__(self, size_px: int, name: str = "resize", **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})
        self.size_px = size_px

    def call(self, images: Any) -> Any:
        """Return (B, size_px, size_px, C) float32."""
        rows = resize_rows(images.shape[1], self.size_px)
        planes = ops.transpose(ops.cast(images, "float32"), (0, 3, 1, 2))
        return ops.transpose(ops.matmul(ops.matmul(rows, planes), rows.T), (0, 2, 3, 1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, size_px, size_px, C)."""
        return (input_shape[0], self.size_px, self.size_px, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the options, for Keras."""
        return {**super().get_config(), "size_px": self.size_px}


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


def build_hand_pretrained(image_size_px: int) -> keras.Model:
    """Build `hand` joined with the middle depths of EfficientNet-Lite2, for `image.crop = "hand-canonical"`.

    Args:
        image_size_px: side of the square input, from 64; made for 260.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 25064): two sources, the 4,760 of `build_hand` and
        20,304 of six depths.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    sources = _see_hands(images, _build_network(image_size_px))
    return keras.Model(images, _join(sources, SOURCES_LAYER), name="hand-pretrained")


def build_hand_photo_pretrained(image_size_px: int) -> keras.Model:
    """Build `hand-pretrained` joined with the same depths for the whole photo, for `image.crop = "hand-and-photo"`.

    Args:
        image_size_px: side of the square input, from 96; made for 390.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 45368): three sources, the two of `build_hand_pretrained`
        and 20,304 of the photo's depths.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    hand, photo = _split(images)
    see = _build_network(hand.shape[1])
    photo = Resize(hand.shape[1], name="resize_photo")(photo)
    sources = [*_see_hands(hand, see), _pool(see(photo), "photo_")]
    return keras.Model(images, _join(sources, SOURCES_LAYER), name="hand-photo-pretrained")


def _split(images: Any) -> tuple[Any, Any]:
    """Return the hand and the photo that the crop "hand-and-photo" has laid into one picture."""
    size, third = images.shape[1], images.shape[1] // 3
    hand = layers.Cropping2D(((0, third), (0, third)), name="hand_part")(images)
    photo = layers.Cropping2D(((size - third, 0), (size - third, 0)), name="photo_part")(images)
    return hand, photo


def _see_hands(images: Any, see: keras.Model) -> list[Any]:
    """Return the sources that see the hand: its description, and depths of a network pretrained on ImageNet."""
    aligned = HandAlignment()(images)
    # The description was made for this size, and knows lengths in its pixels.
    small = Resize(REFERENCE_PX, name="resize_description")(aligned)
    return [_join(_describe_hands(small), "hand_features"), _pool(see(aligned), "")]


def _build_network(image_size_px: int) -> keras.Model:
    """Build EfficientNet-Lite2 as far as its deepest depth in use: images (B, S, S, 3) of 0..255 → the maps, first to last."""
    images = keras.Input((image_size_px, image_size_px, 3), name=f"{PRETRAINED}image")
    pixels = PixelNormalization(f"{PRETRAINED}pixels")(images)
    maps = stack_efficientnet_lite(pixels, width=1.1, depth=1.2, prefix=PRETRAINED)
    return keras.Model(images, [maps[name] for name in HAND_TAPS], name=f"{PRETRAINED}network")


def _pool(maps: list[Any], prefix: str) -> Any:
    """Return the maps' features (B, 20304), joined by a layer "PREFIXpretrained_features"."""
    named = dict(zip(HAND_TAPS, maps, strict=True))
    return pool_taps(named, HAND_TAPS, f"{prefix}{PRETRAINED}", f"{prefix}pretrained_features")


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


def lay_out_hand_pretrained(state: State) -> State:
    """Lay out the weights of `hand-pretrained`: those of `hand`, and those of EfficientNet-Lite2 as far as it is used.

    Args:
        state: the names of `lay_out_hand` and of `lay_out_efficientnet_lite`, which begin with "_".
    """
    ours = {name: array for name, array in state.items() if not name.startswith("_")}
    theirs = lay_out_efficientnet_lite({name: array for name, array in state.items() if name.startswith("_")})
    last = max(int(name.removeprefix("block")) for name in HAND_TAPS)
    unused = ("head_", *(f"block{number}_" for number in range(last + 1, 21)))
    scale, offset = to_scale_and_offset((127.0,) * 3, (128.0,) * 3, factor=1.0)
    return {
        **lay_out_hand(ours),
        **{f"{PRETRAINED}{path}": array for path, array in theirs.items() if not path.startswith(unused)},
        f"{PRETRAINED}pixels/scale": np.asarray(scale, np.float32),
        f"{PRETRAINED}pixels/offset": np.asarray(offset, np.float32),
    }


def lay_out_mini(state: State) -> State:
    """Lay out the weights of `mini`: of those of `hand`, the first network alone."""
    laid = lay_out_convolutional(state)
    return {path: array for path, array in laid.items() if not path.startswith(("alignment/", SECOND))}
