"""A folder with weights and their record, as `handnet weights fetch` leaves it."""

from pathlib import Path
from typing import Any

import numpy as np

from handnet.networks.weights.manifest import Manifest, hash_file, write_manifest
from handnet.networks.weights.safetensors import write_safetensors

STATE = {"conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), "bn1.weight": np.ones(2, np.float32)}


def make_record(folder: Path, **changes: Any) -> None:
    """Write STATE and its record, with some fields of the record changed."""
    write_safetensors(folder / "weights.safetensors", STATE)
    size, sha256 = (folder / "weights.safetensors").stat().st_size, hash_file(folder / "weights.safetensors")
    fields = {"arch": "resnet50", "file": "weights.safetensors", "num_bytes": size, "sha256": sha256}
    write_manifest(folder, Manifest(**{**fields, "source": "here", "licence": "none", **changes}))
