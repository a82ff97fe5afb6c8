"""One tiny encoder, trained by nobody, exported once for all tests of export and serving."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from handnet.config.image import ImageConfig
from handnet.export.archive import Export, export_encoder
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.backbones import BACKBONES
from handnet.networks.device import set_precision
from handnet.networks.encoder import Encoder, build_encoder
from tests.photos import BY_PILLOW, UNUSABLE, USABLE
from tests.tiny import tiny_backbone, tiny_config

CALIBRATION = Calibration(slope=8.0, intercept=-3.0, equal_error_threshold=0.4, best_f1_threshold=0.5)


class Exported(NamedTuple):
    encoder: Encoder
    image: ImageConfig
    export: Export


def write_photos(folder: Path) -> Mapping[str, Path]:
    """Write a file of every kind, whole and damaged."""
    return {name: write(folder / name) for name, write in {**USABLE, **BY_PILLOW, **UNUSABLE}.items()}


def build_tiny_encoder() -> Encoder:
    """Build the encoder, which tells colours apart: the same in every process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "tiny", tiny_backbone())
        set_precision("float32")
        encoder = build_encoder(tiny_config())
    rng = np.random.default_rng(5)
    # Moving averages of a network fresh from its initialisation would make batch normalisation do nothing.
    for variable in encoder.model.non_trainable_variables:
        if variable.name in ("moving_mean", "moving_variance"):
            variable.assign(rng.uniform(0.1, 0.6, variable.shape))
    return encoder


def export_tiny(folder: Path) -> None:
    """Export the encoder into an empty folder, with a calibration whose numbers are round, and write what came of it."""
    photos = {name: USABLE[name](folder / name) for name in USABLE}
    target, paths = folder / "saved_models" / "hands", [str(path) for path in photos.values()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(folder / "cache"))
        export = export_encoder(
            build_tiny_encoder(), tiny_config().image, target, paths, calibration=CALIBRATION, card="# A card\n"
        )
    (folder / "export.pickle").write_bytes(pickle.dumps(export))


def read_exported(folder: Path) -> Exported:
    """Return what `export_tiny` has made there, and the encoder."""
    export = pickle.loads((folder / "export.pickle").read_bytes())
    return Exported(build_tiny_encoder(), tiny_config().image, export)
