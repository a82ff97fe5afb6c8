"""InceptionResnetV1, the face encoder of facenet-pytorch."""

from typing import Any

import keras
from keras import layers

from handnet.networks.backbones.entry import UNDRAWN
from handnet.networks.backbones.pixels import PixelNormalization

EPSILON = 1e-3


@keras.saving.register_keras_serializable("handnet")
class TrainedDropout(layers.Dropout):
    """Dropout that stops when it is frozen, so that a frozen encoder is a fixed function in training too."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the inputs, some of them zero in training."""
        return super().call(inputs, training=bool(training) and self.trainable)


def build_inception_resnet_v1(image_size_px: int) -> keras.Model:
    """Build InceptionResnetV1 up to its 512-wide embedding of unit length.

    Args:
        image_size_px: side of the square input, from 80; it was trained at 160.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 512), float32, of unit length.

    Reference: Szegedy et al. 2016, https://arxiv.org/abs/1602.07261, in the form of David Sandberg's facenet; names,
    paddings and the dropout of 0.6 before the last layer are those of facenet-pytorch 2.6.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = PixelNormalization()(images)
    x = _convolve(x, 32, 3, "conv2d_1a", stride=2, padding="valid")
    x = _convolve(x, 32, 3, "conv2d_2a", padding="valid")
    x = _convolve(x, 64, 3, "conv2d_2b")
    x = layers.MaxPooling2D(3, 2, name="maxpool_3a")(x)
    x = _convolve(x, 80, 1, "conv2d_3b")
    x = _convolve(x, 192, 3, "conv2d_4a", padding="valid")
    x = _convolve(x, 256, 3, "conv2d_4b", stride=2, padding="valid")
    for index in range(5):
        x = _block35(x, f"repeat_1_{index}")
    x = _mixed_6a(x)
    for index in range(10):
        x = _block17(x, f"repeat_2_{index}")
    x = _mixed_7a(x)
    for index in range(5):
        x = _block8(x, f"repeat_3_{index}", 0.20)
    x = _block8(x, "block8", 1.0, relu=False)
    x = layers.GlobalAveragePooling2D(name="avgpool_1a")(x)
    x = TrainedDropout(0.6, name="dropout")(x)
    x = layers.Dense(512, use_bias=False, kernel_initializer=UNDRAWN, name="last_linear")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, name="last_bn")(x)
    features = layers.UnitNormalization(dtype="float32", name="unit")(x)
    return keras.Model(images, features, name="inception-resnet-v1")


def _convolve(
    x: Any, width: int, kernel: int | tuple[int, int], name: str, stride: int = 1, padding: str = "same"
) -> Any:
    x = layers.Conv2D(width, kernel, stride, padding, use_bias=False, kernel_initializer=UNDRAWN, name=f"{name}_conv")(
        x
    )
    x = layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _close(x: Any, branches: list[Any], name: str, scale: float, relu: bool = True) -> Any:
    up = layers.Concatenate(name=f"{name}_concat")(branches)
    up = layers.Conv2D(x.shape[-1], 1, kernel_initializer=UNDRAWN, name=f"{name}_conv2d")(up)
    up = layers.Rescaling(scale, name=f"{name}_scale")(up)
    x = layers.Add(name=f"{name}_add")([up, x])
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _block35(x: Any, name: str) -> Any:
    first = _convolve(x, 32, 1, f"{name}_branch0")
    second = _convolve(x, 32, 1, f"{name}_branch1_0")
    second = _convolve(second, 32, 3, f"{name}_branch1_1")
    third = _convolve(x, 32, 1, f"{name}_branch2_0")
    third = _convolve(third, 32, 3, f"{name}_branch2_1")
    third = _convolve(third, 32, 3, f"{name}_branch2_2")
    return _close(x, [first, second, third], name, 0.17)


def _block17(x: Any, name: str) -> Any:
    first = _convolve(x, 128, 1, f"{name}_branch0")
    second = _convolve(x, 128, 1, f"{name}_branch1_0")
    second = _convolve(second, 128, (1, 7), f"{name}_branch1_1")
    second = _convolve(second, 128, (7, 1), f"{name}_branch1_2")
    return _close(x, [first, second], name, 0.10)


def _block8(x: Any, name: str, scale: float, relu: bool = True) -> Any:
    first = _convolve(x, 192, 1, f"{name}_branch0")
    second = _convolve(x, 192, 1, f"{name}_branch1_0")
    second = _convolve(second, 192, (1, 3), f"{name}_branch1_1")
    second = _convolve(second, 192, (3, 1), f"{name}_branch1_2")
    return _close(x, [first, second], name, scale, relu)


def _mixed_6a(x: Any) -> Any:
    first = _convolve(x, 384, 3, "mixed_6a_branch0", stride=2, padding="valid")
    second = _convolve(x, 192, 1, "mixed_6a_branch1_0")
    second = _convolve(second, 192, 3, "mixed_6a_branch1_1")
    second = _convolve(second, 256, 3, "mixed_6a_branch1_2", stride=2, padding="valid")
    third = layers.MaxPooling2D(3, 2, name="mixed_6a_branch2")(x)
    return layers.Concatenate(name="mixed_6a_concat")([first, second, third])


def _mixed_7a(x: Any) -> Any:
    branches = []
    for index, widths in enumerate(((256, 384), (256, 256), (256, 256, 256))):
        y = _convolve(x, widths[0], 1, f"mixed_7a_branch{index}_0")
        for step, width in enumerate(widths[1:-1], start=1):
            y = _convolve(y, width, 3, f"mixed_7a_branch{index}_{step}")
        last = len(widths) - 1
        branches.append(_convolve(y, widths[-1], 3, f"mixed_7a_branch{index}_{last}", stride=2, padding="valid"))
    branches.append(layers.MaxPooling2D(3, 2, name="mixed_7a_branch3")(x))
    return layers.Concatenate(name="mixed_7a_concat")(branches)
