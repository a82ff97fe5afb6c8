"""A tiny data set in the layout of 11k Hands that a network learns in seconds: each person has a colour of their own."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handnet.config.augmentation import NO_AUGMENTATION
from handnet.config.settings import Config
from handnet.config.toml import config_to_tree, parse_config

HEADER = "id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"


def write_tiny(folder: Path, num_people: int = 16, photos_per_view: int = 2, seed: int = 0) -> Path:
    """Write the table and the photos, 40×32, of people with ids 0000000, 0000001 and so on."""
    rng = np.random.default_rng(seed)
    (folder / "Hands").mkdir(parents=True)
    lines, number = [HEADER], 0
    for person in range(num_people):
        color = rng.uniform(40, 215, 3)
        for view in ("dorsal", "palmar"):
            for k in range(photos_per_view):
                number += 1
                name, side = f"Hand_{number:07d}.jpg", ("right", "left")[k % 2]
                pixels = np.full((32, 40, 3), 255.0)
                pixels[6:26, 8:32] = color * (1.0 if view == "dorsal" else 0.85)
                pixels += rng.normal(0, 8, pixels.shape)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "Hands" / name, quality=95)
                gender = ("female", "male")[person % 2]
                lines.append(f'"{person:07d}",{20 + person},"{gender}","fair",0,0,"{view} {side}","{name}",0')
    (folder / "HandInfo.csv").write_text("\n".join(lines) + "\n")
    return folder


def build_tiny(image_size_px: int, name: str = "tiny") -> Any:
    """Build a backbone that TensorFlow traces in a fraction of a second; tests put it among BACKBONES."""
    import keras

    from handnet.networks.backbones.pixels import PixelNormalization

    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = keras.layers.Conv2D(8, 4, 4, name="conv")(PixelNormalization()(images))
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="norm")(x))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D(name="pool")(x), name=name)


def tiny_backbone(name: str = "tiny") -> Any:
    """Return the entry of `build_tiny`."""
    from handnet.networks.backbones.entry import Backbone

    defaults = {"image": {"size_px": 32}, "model": {"weights": "none", "trainable": "all"}}
    return Backbone(partial(build_tiny, name=name), blocks="", defaults=defaults)


def train_eagerly(patch: pytest.MonkeyPatch) -> None:
    """Let trainings of a few steps run operation by operation: a step takes 50 ms, and its graph more than a second to trace.

    For tests of what lies around the steps; that graphs give the same is what others test.
    """
    import keras

    original = keras.Model.compile

    def compile_eagerly(model: Any, *arguments: Any, **options: Any) -> None:
        original(model, *arguments, **{**options, "jit_compile": False, "run_eagerly": True})

    patch.setattr(keras.Model, "compile", compile_eagerly)


def tiny_config(**sections: dict[str, object]) -> Config:
    """Return settings that train on `write_tiny` in seconds; sections are laid over them."""
    tree: dict[str, dict[str, object]] = {
        "image": {"size_px": 32},
        "sampler": {"people_per_batch": 4, "passes_per_epoch": 2, "pairs_per_batch": 8},
        "augment": config_to_tree(Config(augment=NO_AUGMENTATION))["augment"],
        "model": {"arch": "tiny", "hidden_size": 16, "embedding_size": 8},
        "loss": {"name": "triplet", "options": {"margin": 0.5}},
        "train": {"epochs": 3, "precision": "float32"},
    }
    for name, values in sections.items():
        tree[name] = {**tree.get(name, {}), **values}
    return parse_config(tree)
