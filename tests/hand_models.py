"""The hand models for tests: those that this machine has, or a skip with the reason."""

import os
from pathlib import Path

import pytest

from handnet.images.hand_models.files import NAME, has_hand_models

# Read before any test has a cache of its own.
_CACHE = os.environ.get("HANDNET_CACHE") or Path.home() / ".cache" / "handnet"
_FOLDER = Path(os.environ.get("HANDNET_HAND_MODELS") or Path(_CACHE) / "hand-models")


def find_hand_models() -> Path:
    """Return the folder of the hand models, or skip the test where they are not there."""
    if not has_hand_models(_FOLDER):
        pytest.skip(f"no hand models: they are not in {_FOLDER}; run: handnet weights fetch {NAME}")
    return _FOLDER
