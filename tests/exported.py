"""One tiny encoder, trained by nobody, exported once for all tests of serving."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from handnet.config.settings import ImageConfig
from handnet.export.archive import Export, export_encoder
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.backbones import BACKBONES, Backbone
from handnet.networks.device import set_precision
from handnet.networks.encoder import Encoder, build_encoder
from tests.photos import UNUSABLE, USABLE
from tests.tiny import build_tiny, tiny_config

CALIBRATION = Calibration(slope=8.0, intercept=-3.0, equal_error_threshold=0.4, best_f1_threshold=0.5)


class Exported(NamedTuple):
    encoder: Encoder
    image: ImageConfig
    export: Export


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A file of every kind, whole and damaged."""
    folder = tmp_path_factory.mktemp("photos")
    return {name: write(folder / name) for name, write in {**USABLE, **UNUSABLE}.items()}


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, photos: Mapping[str, Path]) -> Exported:
    """An encoder that tells colours apart, with a calibration whose numbers are round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(BACKBONES, "tiny", Backbone(build_tiny))
        set_precision("float32")
        config = tiny_config()
        encoder = build_encoder(config)
        rng = np.random.default_rng(5)
        # Moving averages of a network fresh from its initialisation would make batch normalisation do nothing.
        for variable in encoder.model.non_trainable_variables:
            if variable.name in ("moving_mean", "moving_variance"):
                variable.assign(rng.uniform(0.1, 0.6, variable.shape))
        target = tmp_path_factory.mktemp("saved_models") / "hands"
        paths = [str(photos[name]) for name in USABLE]
        export = export_encoder(encoder, config.image, target, paths, calibration=CALIBRATION, card="# A card\n")
        return Exported(encoder, config.image, export)
