"""The settings that follow from the choice of backbone and loss: the published ones, where there are any."""

from collections.abc import Mapping
from typing import Any

from handnet.config.augmentation import AUGMENTATIONS
from handnet.errors import ConfigError, format_unknown

Tree = Mapping[str, Any]

_DINO: Tree = {
    "image": {"size_px": 224},
    "model": {"weights": "preset", "trainable": "none", "hidden_size": 512, "embedding_size": 256},
    "optimizer": {"name": "adamw", "learning_rate": 3e-4, "weight_decay": 1e-4, "schedule": "cosine"},
    "train": {"epochs": 30},
}
_RESNET: Tree = {
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
_SMALL: Tree = {
    "image": {"size_px": 96},
    "augment": _MILD_AUGMENTATION,
    "model": {"weights": "none", "trainable": "all", "hidden_size": 256, "embedding_size": 128},
    "optimizer": {"name": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-4, "schedule": "cosine"},
    "train": {"epochs": 30},
}

# Everything is in the package: no weights to fetch, no epochs.
_HAND: Tree = {
    "image": {"size_px": 128, "crop": "hand-canonical"},
    "augment": {f"{kind}_probability": 0.0 for kind in AUGMENTATIONS},
    "model": {"weights": "handnet-synthetic", "trainable": "none", "head": "lda", "embedding_size": 128},
    "train": {"precision": "float32"},
}

ARCH_DEFAULTS: dict[str, Tree] = {
    "mini": _SMALL,
    "small": _SMALL,
    "hand": _HAND,
    "hand-photo": {**_HAND, "image": {"size_px": 192, "crop": "hand-and-photo"}},
    "resnet50": _RESNET,
    "vgg16": _RESNET,
    "dino": _DINO,
    "dino3": _DINO,
}

LOSS_DEFAULTS: dict[str, Tree] = {
    "contrastive": {
        "sampler": {"name": "pairs", "pairs_per_batch": 64, "positive_fraction": 0.5},
        "loss": {"options": {"margin": 2.0}},
    },
    "triplet": {
        "sampler": {"name": "people", "people_per_batch": 8, "photos_per_view": 1},
        "loss": {"options": {"margin": 0.5}},
    },
}


def complete_tree(tree: Tree) -> dict[str, Any]:
    """Put the defaults of the chosen backbone and loss under the settings that were given.

    Args:
        tree: nested settings, `model.arch` and `loss.name` among them or not ("small" and "triplet" then).

    Returns:
        A new tree; whatever `tree` says stands.
    """
    arch = tree.get("model", {}).get("arch", "small")
    loss = tree.get("loss", {}).get("name", "triplet")
    family = arch.split("-")[0] if isinstance(arch, str) else ""
    under = ARCH_DEFAULTS.get(arch) or ARCH_DEFAULTS.get(family) or {}
    return merge_trees(merge_trees(under, LOSS_DEFAULTS.get(loss, {})), tree)


def merge_trees(under: Tree, over: Tree) -> dict[str, Any]:
    """Merge nested settings; where both have a value, that of `over` stands."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge_trees(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def check_name(kind: str, name: str, valid: Mapping[str, object]) -> None:
    """Raise ConfigError, with the nearest valid name, where `name` is not a key of `valid`."""
    if name not in valid:
        raise ConfigError(format_unknown(kind, name, valid))
