"""VGG16, of keras.applications and torchvision."""

import keras
from keras import layers

from handnet.networks.backbones.pixels import PixelNormalization

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def build_vgg16(image_size_px: int) -> keras.Model:
    """Build VGG16's convolutions, averaged over the last map; the dense layers of its classifier are left out.

    Args:
        image_size_px: side of the square input, from 32.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, 512).

    Reference: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556, configuration D; layer names are those of
    keras.applications.
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = PixelNormalization()(images)
    for block, widths in enumerate(WIDTHS, start=1):
        for index, width in enumerate(widths, start=1):
            name = f"block{block}_conv{index}"
            x = layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    features = layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(images, features, name="vgg16")
