"""The head of several sources as a layer: unit vectors whose products across the views are the sums of the sources' scores."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

# A vector longer than this before the coordinates of the view are added is cut to it.
_LONGEST = 0.99


@keras.saving.register_keras_serializable("handnet")
class JoinedDiscriminantLayer(keras.layers.Layer):
    """Maps features by `JoinedDiscriminant`, float32 under every policy.

    A photo's vector is that of its sources one after another, shorter than 1, and two more coordinates that fill it up to 1:
    one for each view. So the product of two photos of different views is the sum of the sources' scores, and nothing else,
    although all vectors have the same length. Photos of the same view are compared by the Euclidean distance of their vectors.

    Args:
        widths: features of each source.
        num_directions: columns of each source.
        embedding_size: D; what is beyond sources · columns + 2 is zero.
        seed: of the random weights, until they are found.
        name: layer name.
    """

    def __init__(
        self,
        widths: Sequence[int],
        num_directions: int,
        embedding_size: int,
        seed: int = 0,
        name: str = "head_joined",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32", "trainable": False})
        self.widths = list(widths)
        self.num_directions = num_directions
        self.embedding_size = embedding_size
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the arrays of `JoinedDiscriminant`, in their order."""

        def add(name: str, shape: tuple[int, ...], initializer: Any = "zeros") -> Any:
            return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=False)

        self.maps = []
        for number, width in enumerate(self.widths):
            glorot = keras.initializers.GlorotUniform(self.seed + number)
            self.maps.append(
                (
                    add(f"kernel_{number}", (width, self.num_directions), glorot),
                    add(f"bias_{number}", (self.num_directions,)),
                    add(f"shift_{number}", (self.num_directions,)),
                    add(f"importance_{number}", (self.num_directions,), "ones"),
                )
            )
        self.view_kernel = add("view_kernel", (sum(self.widths), 1))
        self.view_bias = add("view_bias", (1,))
        self.has_views = add("has_views", ())

    def call(self, features: Any) -> Any:
        """Return (B, D) float32, of length 1 where there are views."""
        features = ops.cast(features, "float32")
        first = ops.sigmoid(ops.matmul(features, self.view_kernel) + self.view_bias)
        rows, begin = [], 0
        for width, (kernel, bias, shift, importance) in zip(self.widths, self.maps, strict=True):
            z = ops.matmul(features[:, begin : begin + width], kernel) + bias - first * shift
            begin += width
            rows.append(z * ops.rsqrt(ops.maximum(ops.sum(importance * ops.square(z), axis=-1, keepdims=True), 1e-12)))
        joined = ops.concatenate(rows, axis=-1)
        length = ops.sqrt(ops.maximum(ops.sum(ops.square(joined), axis=-1, keepdims=True), 1e-12))
        joined = joined * ops.minimum(1.0, _LONGEST / length)
        rest = ops.sqrt(ops.maximum(1.0 - ops.sum(ops.square(joined), axis=-1, keepdims=True), 0.0)) * self.has_views
        angle = first * (np.pi / 2.0)
        parts = [joined, rest * ops.sin(angle), rest * ops.cos(angle)]
        if padding := self.embedding_size - len(self.widths) * self.num_directions - 2:
            parts.append(ops.zeros_like(rest) * np.zeros((1, padding), np.float32))
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, D)."""
        return (input_shape[0], self.embedding_size)

    def get_config(self) -> dict[str, Any]:
        """Return the options, for Keras."""
        return {
            **super().get_config(),
            "widths": self.widths,
            "num_directions": self.num_directions,
            "embedding_size": self.embedding_size,
            "seed": self.seed,
        }
