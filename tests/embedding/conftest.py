"""A tiny encoder and a few photos, for the tests of what runs it."""

from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.config.settings import Config
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import Encoder, build_encoder
from tests.photos import picture, write_jpeg
from tests.tiny import tiny_backbone, tiny_config


@pytest.fixture(scope="module")
def config() -> Config:
    return tiny_config()


@pytest.fixture(scope="module")
def whole_encoder(config: Config) -> Encoder:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
        return build_encoder(config)


@pytest.fixture(scope="module")
def encoder(whole_encoder: Encoder) -> keras.Model:
    return whole_encoder.model


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Eleven good photos."""
    return [str(write_jpeg(tmp_path / f"{k:02}.jpg", np.roll(picture(), 5 * k, axis=1))) for k in range(11)]
