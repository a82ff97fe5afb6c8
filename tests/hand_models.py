"""The hand models for tests: those that this machine has, or a skip with the reason; and a hand that they find."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.images.hand_models.model_files import NAME, has_hand_models

# Read before any test has a cache of its own.
_CACHE = os.environ.get("HANDNET_CACHE") or Path.home() / ".cache" / "handnet"
_FOLDER = Path(os.environ.get("HANDNET_HAND_MODELS") or Path(_CACHE) / "hand-models")


def find_hand_models() -> Path:
    """Return the folder of the hand models, or skip the test where they are not there."""
    if not has_hand_models(_FOLDER):
        pytest.skip(f"no hand models: they are not in {_FOLDER}; run: handnet weights fetch {NAME}")
    return _FOLDER


def write_hand(path: Path, ground: tuple[int, int, int] = (40, 70, 120)) -> str:
    """Write a synthetic hand on a dark blue ground, which has no plain light border to be told by."""
    photo, mask = draw_hand_with_mask(sample_person(3, 1), "dorsal", "right", np.random.default_rng(1), (320, 240))
    stripes = np.where((np.arange(240) // 12 % 2)[:, None, None] > 0, 1.0, 1.6) * ground
    pasted = np.where(np.asarray(mask)[..., None] > 0.5, photo, np.broadcast_to(stripes, photo.shape))
    Image.fromarray(pasted.astype(np.uint8)).save(path, quality=95)
    return str(path)
