"""One tiny encoder, trained by nobody, exported once for all tests of export and serving."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from handnet.config.settings import ImageConfig
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


def export_tiny(folder: Path, photos: Mapping[str, Path]) -> Exported:
    """Export an encoder that tells colours apart, with a calibration whose numbers are round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(folder / "cache"))
        patch.setitem(BACKBONES, "tiny", tiny_backbone())
        set_precision("float32")
        config = tiny_config()
        encoder = build_encoder(config)
        rng = np.random.default_rng(5)
        # Moving averages of a network fresh from its initialisation would make batch normalisation do nothing.
        for variable in encoder.model.non_trainable_variables:
            if variable.name in ("moving_mean", "moving_variance"):
                variable.assign(rng.uniform(0.1, 0.6, variable.shape))
        target = folder / "saved_models" / "hands"
        paths = [str(photos[name]) for name in USABLE]
        export = export_encoder(encoder, config.image, target, paths, calibration=CALIBRATION, card="# A card\n")
        return Exported(encoder, config.image, export)
