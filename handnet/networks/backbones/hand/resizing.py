"""Pictures brought to another size inside a network."""

from typing import Any

import keras
from keras import ops

from handnet.networks.backbones.hand.descriptor import resize_rows


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
