"""From photo values 0..255 to what a network was trained on: the normalisation is part of the weights."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("handnet")
class PixelNormalization(keras.layers.Layer):
    """Map RGB values 0..255 to `values * scale + offset`, channel by channel.

    Scale and offset are saved with the weights, so that a network rebuilt from its name and filled from a weight file
    sees the same pixels, wherever its weights came from first. Always float32: half precision starts behind it.

    Args:
        name: layer name.
    """

    def __init__(self, name: str = "pixels", **kwargs: Any) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the two rows of three numbers."""
        self.scale = self.add_weight(name="scale", shape=(3,), initializer="ones", trainable=False)
        self.offset = self.add_weight(name="offset", shape=(3,), initializer="zeros", trainable=False)

    def call(self, images: Any) -> Any:
        """Return the normalised images, float32."""
        return ops.cast(images, "float32") * self.scale + self.offset

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape
