"""What runs an encoder over many photos."""

import importlib.util

import keras
import numpy as np
import pytest

import handnet.embedding.engines
import handnet.embedding.job
from handnet.config.settings import Config
from handnet.embedding.engine_names import WAYS
from handnet.embedding.engines import (
    ENGINES,
    Engine,
    build_engine,
    check_engine,
    choose_engine,
    has_bfloat16,
    read_cpu_flags,
)
from handnet.errors import ConfigError, RunError
from handnet.images.photo_store import load_cached, prepare_photos


def test_each_engine_is_known_without_it() -> None:
    assert {engine for engine, _ in WAYS} == set(ENGINES)


@pytest.mark.parametrize("name", ENGINES)
def test_engines_agree_with_the_encoder_whatever_the_batch(
    name: str, photos: list[str], config: Config, encoder: keras.Model
) -> None:
    for package in {"tensorflow": [], "openvino": ["openvino"]}[name]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    images = load_cached(prepare_photos(photos, config.image).files, config.image.size_px)
    expected = np.asarray(encoder.predict_on_batch(images))
    engine = build_engine(name, encoder, config.image, 6, images)
    for count in (6, 1, 5):
        received = engine.embed(images[:count])
        assert (received.dtype, received.shape) == (np.float32, (count, 8))
        assert (name, engine.precision) in WAYS
        tolerance = {"f32": 1e-5, "float32": 1e-5, "bf16": 0.05}[engine.precision]
        np.testing.assert_allclose(received, expected[:count], atol=tolerance)
        np.testing.assert_allclose(np.linalg.norm(received, axis=1), 1.0, atol=1e-5)
    cosine = check_engine(engine, encoder, images[:6])
    assert cosine > 0.999
    assert not np.allclose(expected[0], expected[5], atol=1e-3), "photos differ"


def test_an_engine_that_gives_other_vectors_is_refused(photos: list[str], config: Config, encoder: keras.Model) -> None:
    images = load_cached(prepare_photos(photos[:3], config.image).files, config.image.size_px)
    turned = Engine("openvino", "bf16", lambda x: np.roll(np.asarray(encoder.predict_on_batch(x)), 1, axis=1))
    with pytest.raises(RunError, match="The engine openvino in bf16 gives other vectors than the encoder: cosine"):
        check_engine(turned, encoder, images)


@pytest.mark.parametrize(
    ("flags", "least"),
    [({"avx2", "fma"}, 1e11), ({"avx2", "amx_bf16"}, 1e10), ({"avx512_bf16"}, 1e10)],
)
def test_auto_goes_by_the_processor_and_the_work(
    flags: set[str], least: float, encoder: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handnet.embedding.engines, "read_cpu_flags", lambda: flags)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda _: [])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    worth = int(least / encoder.count_params()) + 1
    assert choose_engine(encoder, worth) == "openvino"
    assert choose_engine(encoder, worth - 1) == "tensorflow", "fewer are not worth a conversion"
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert choose_engine(encoder, worth) == "tensorflow", "Keras's own, on JAX"
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert choose_engine(encoder, worth) == "tensorflow", "OpenVINO is not installed"
    assert has_bfloat16(flags) == (least < 1e11)


def test_networks_of_the_same_weights_are_converted_apart(encoder: keras.Model) -> None:
    found = {
        handnet.embedding.engines._find_converted(encoder, known) for known in (None, {"crop": "a"}, {"crop": "b"})
    }
    assert len(found) == 3


def test_flags_are_words() -> None:
    assert all(flag and " " not in flag for flag in read_cpu_flags())


def test_an_unknown_engine_is_said(config: Config, encoder: keras.Model) -> None:
    with pytest.raises(ConfigError, match="Unknown engine 'openvin'. Did you mean 'openvino'?"):
        build_engine("openvin", encoder, config.image, 4)
