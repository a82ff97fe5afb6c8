"""The landmarks of an upright hand as a backbone: where they lie on its palm, and how far they are from each other.

MediaPipe's hand landmark network sees the crop itself, a hand on white, so its landmarks do not depend on what lay around the
hand. It is built here layer by layer and not from its file: a run, which holds its weights, needs no file.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from handnet.images.hand.mean_palm import MEAN_PALM, PALM
from handnet.networks.backbones.hand.resizing import Resize
from handnet.networks.backbones.pixels import PixelNormalization

# The network sees pictures of this side; around a hand it expects more ground than its crop has.
NETWORK_PX, CROP_PX = 224, 192
NUM_LANDMARKS = 21
# Of each block: kernel, stride, channels inside and of its output.
BLOCKS = (
    (3, 1, 24, 16),
    (3, 2, 64, 24),
    (3, 1, 144, 24),
    (5, 2, 144, 40),
    (5, 1, 240, 40),
    (3, 2, 240, 80),
    (3, 1, 480, 80),
    (3, 1, 480, 80),
    (5, 1, 480, 112),
    (5, 1, 672, 112),
    (5, 1, 672, 112),
    (5, 2, 672, 192),
    (5, 1, 1152, 192),
    (5, 1, 1152, 192),
    (5, 1, 1152, 192),
)
STEM_WIDTH, LAST_WIDTH, LAST_KERNEL = 24, 1152, 3
# What has weights, in the order of the network.
LAYERS = (
    *("stem_conv", "block0_depthwise_conv", "block0_project_conv"),
    *(f"block{n}_{part}_conv" for n in range(1, len(BLOCKS)) for part in ("expand", "depthwise", "project")),
    *("head_expand_conv", "head_depthwise_conv", "landmarks"),
)
_FIRST, _SECOND = np.triu_indices(NUM_LANDMARKS, 1)
# Distances are compared by their logarithms; as a share of the palm's square, so that landmarks on one place give a number.
_LEAST_DISTANCE = 1e-3


def build_hand_landmarks(image_size_px: int) -> keras.Model:
    """Build the backbone for `image.crop = "hand-canonical"`: hands on white, upright, the thumb on the left.

    Args:
        image_size_px: side of the square input, from 32; made for 192.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 252) in two groups: the places of 21 landmarks, 42 numbers,
        and the logarithms of their 210 distances.

    Reference: Zhang et al. 2020, "MediaPipe Hands: On-device real-time hand tracking"; the layers are those of
    hand_landmark_full.tflite, up to its landmarks in pixels.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = images if image_size_px == CROP_PX else Resize(CROP_PX)(images)
    # White around the crop, as in it.
    x = PixelNormalization()(WhiteMargin((NETWORK_PX - CROP_PX) // 2, name="margin")(x))
    x = _clip(_convolve(STEM_WIDTH, 3, "stem_conv", 2)(x), "stem")
    for number, (kernel, stride, inside, channels) in enumerate(BLOCKS):
        name, before = f"block{number}", x
        if number:
            x = _clip(_convolve(inside, 1, f"{name}_expand_conv")(x), f"{name}_expand")
        x = _clip(_convolve_depthwise(kernel, f"{name}_depthwise_conv", stride)(x), f"{name}_depthwise")
        x = _convolve(channels, 1, f"{name}_project_conv")(x)
        if number and stride == 1 and before.shape[-1] == channels:
            x = layers.Add(name=f"{name}_add")([x, before])
    x = _clip(_convolve(LAST_WIDTH, 1, "head_expand_conv")(x), "head_expand")
    x = _clip(_convolve_depthwise(LAST_KERNEL, "head_depthwise_conv", 1)(x), "head_depthwise")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    points = layers.Dense(3 * NUM_LANDMARKS, dtype="float32", name="landmarks")(x)
    places = LandmarkPlaces(name="places")(points)
    parts = [places, LandmarkDistances(name="distances")(places)]
    return keras.Model(images, layers.Concatenate(name="features", dtype="float32")(parts), name="hand-landmarks")


@keras.saving.register_keras_serializable("handnet")
class WhiteMargin(layers.Layer):
    """Lays white, 255, around pictures; float32 under every policy.

    Args:
        width_px: of the margin on each side.
        name: layer name.
    """

    def __init__(self, width_px: int, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})
        self.width_px = width_px

    def call(self, images: Any) -> Any:
        """Return (B, S + 2 · width, S + 2 · width, 3) of (B, S, S, 3)."""
        side = (self.width_px, self.width_px)
        return 255.0 - ops.pad(255.0 - ops.cast(images, "float32"), ((0, 0), side, side, (0, 0)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        batch, side, _, channels = input_shape
        assert side is not None, "pictures have a known size, and are square"
        return (batch, side + 2 * self.width_px, side + 2 * self.width_px, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the options, for Keras."""
        return {**super().get_config(), "width_px": self.width_px}


@keras.saving.register_keras_serializable("handnet")
class LandmarkPlaces(layers.Layer):
    """Turns, shrinks and mirrors landmarks so that the palm lies on the mean palm, the thumb on the left; float32 always.

    Reference: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", in the plane.
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})

    def call(self, points: Any) -> Any:
        """Return (B, 42), y and x of each in sides of the palm's square, of (B, 63) as x, y, z in pixels."""
        x, y, _ = ops.split(ops.reshape(ops.cast(points, "float32"), (-1, NUM_LANDMARKS, 3)), 3, axis=-1)
        index_y, index_x, little_y, little_x = (
            values[:, knuckle] - values[:, 0] for knuckle in (PALM[1], PALM[4]) for values in (y, x)
        )
        # The thumb is on the right where the index finger's knuckle lies to the right of the little finger's.
        x = x * ops.where(index_x * little_y < index_y * little_x, -1.0, 1.0)[:, None]
        # The palm's points are picked by products: each pick would be some operations of the graph.
        palm_y, palm_x = (ops.matmul(_PICK_PALM, values) for values in (y, x))
        middle_y, middle_x = (ops.mean(values, axis=1, keepdims=True) for values in (palm_y, palm_x))
        palm_y, palm_x = palm_y - middle_y, palm_x - middle_x
        wanted_y, wanted_x = _WANTED[:, :1], _WANTED[:, 1:]
        size = ops.maximum(ops.sum(palm_y * palm_y + palm_x * palm_x, axis=1, keepdims=True), 1e-6)
        cosine = ops.sum(wanted_y * palm_y + wanted_x * palm_x, axis=1, keepdims=True) / size
        sine = ops.sum(wanted_x * palm_y - wanted_y * palm_x, axis=1, keepdims=True) / size
        y, x = y - middle_y, x - middle_x
        placed = ops.concatenate([cosine * y - sine * x, sine * y + cosine * x], axis=-1)
        return ops.reshape(placed, (-1, 2 * NUM_LANDMARKS))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, 42)."""
        return (input_shape[0], 2 * NUM_LANDMARKS)


@keras.saving.register_keras_serializable("handnet")
class LandmarkDistances(layers.Layer):
    """Takes the logarithms of the distances of all pairs of landmarks; float32 under every policy."""

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})

    def call(self, places: Any) -> Any:
        """Return (B, 210) of (B, 42), by the first landmark of a pair, then by the second."""
        differences = ops.matmul(_PAIRS, ops.reshape(ops.cast(places, "float32"), (-1, NUM_LANDMARKS, 2)))
        return ops.log(ops.sqrt(ops.sum(ops.square(differences), axis=-1) + 1e-12) + _LEAST_DISTANCE)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, 210)."""
        return (input_shape[0], len(_FIRST))


def _pick(numbers: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.eye(NUM_LANDMARKS, dtype=np.float32)[np.asarray(numbers)]


_PICK_PALM, _PAIRS = _pick(PALM), _pick(_FIRST) - _pick(_SECOND)
_WANTED = np.asarray(MEAN_PALM, np.float32) - np.mean(MEAN_PALM, axis=0, dtype=np.float32)


def _convolve(width: int, kernel: int, name: str, stride: int = 1) -> layers.Layer:
    return layers.Conv2D(width, kernel, stride, "same", kernel_initializer="he_normal", name=name)


def _convolve_depthwise(kernel: int, name: str, stride: int) -> layers.Layer:
    return layers.DepthwiseConv2D(kernel, stride, "same", depthwise_initializer="he_normal", name=name)


def _clip(x: Any, name: str) -> Any:
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
