"""What decides how a network computes: the run's settings, and nothing of the machine's."""

import sys
from collections.abc import Iterator
from types import SimpleNamespace

import keras
import pytest

from handnet.networks import device
from handnet.networks.complete_config import complete_config
from handnet.networks.device import set_precision
from handnet.networks.encoder import build_encoder


@pytest.fixture
def _settings_of_another_program() -> Iterator[None]:
    """What Keras holds after it has read such a keras.json, and such variables of the environment."""
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    keras.config.set_epsilon(1e-2)
    keras.config.set_max_epochs(1)
    keras.config.set_max_steps_per_epoch(1)
    yield
    set_precision("float32")


@pytest.mark.usefixtures("_settings_of_another_program")
def test_the_settings_of_keras_outside_a_run_change_nothing() -> None:
    config = complete_config({"model": {"arch": "mini"}, "image": {"size_px": 64}})
    set_precision("float32")
    encoder = build_encoder(config)
    assert encoder.model.count_params() == 477_486
    assert {weight.dtype for weight in encoder.model.weights} <= {"float32", "uint32"}
    assert (keras.config.image_data_format(), keras.config.floatx(), keras.config.epsilon()) == (
        "channels_last",
        "float32",
        1e-7,
    )
    assert (keras.config.max_epochs(), keras.config.max_steps_per_epoch()) == (None, None)


@pytest.mark.parametrize(
    ("platform", "name", "capability", "precision"),
    [
        ("gpu", "NVIDIA H100 80GB HBM3", "9.0", "mixed_bfloat16"),
        ("gpu", "Tesla T4", "7.5", "float32"),
        ("gpu", "AMD Instinct MI250X", "gfx90a", "float32"),
        ("cpu", "cpu", "", "float32"),
    ],
)
def test_on_jax_the_gpu_is_the_one_that_jax_uses(monkeypatch, platform, name, capability, precision) -> None:
    card = SimpleNamespace(platform=platform, device_kind=name, compute_capability=capability)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(local_devices=lambda: [card]))
    monkeypatch.setattr(device.keras.backend, "backend", lambda: "jax")
    assert device.choose_precision("auto") == precision
    assert ("CPU" if platform == "cpu" else f"1 GPU ({name})") in device.describe_device(precision)
    monkeypatch.setattr(device.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    warned: list[str] = []
    device.warn_device(warned.append)
    assert [line for line in warned if "JAX DOES NOT USE IT" in line] == warned[: platform == "cpu"]
