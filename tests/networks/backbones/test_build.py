"""What every backbone must do, walked over the registry."""

import os

import keras
import numpy as np
import pytest

from handnet.errors import ConfigError, WeightsError
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.parameters import digest_weights
from handnet.networks.backbones.trainable import set_trainable
from tests.tiny import train_eagerly

# Seconds to build, or up to 27 GB: they differ from the others in numbers alone, which test_parameters.py checks.
HEAVY = (
    *("dino", "dino-small-reg", "dino-base-reg", "dino3-small-plus", "dino3-base"),
    *("dino-large", "dino-large-reg", "dino-giant", "dino-giant-reg", "dino3-large", "dino3-huge-plus", "dino3-7b"),
)
SLOW = (
    *("dino3-small", "hand-lite2", "hand-pretrained", "hand-photo-pretrained"),
    *("inception-v3", "inception-resnet-v1"),
)
ALL = [pytest.param(a, marks=pytest.mark.slow if a in SLOW else ()) for a in BACKBONES if a not in HEAVY]
FAST = ("small", "dino-tiny")


def make_images(side_px: int, count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side_px, side_px, 3), dtype=np.uint8)


def train_two_steps(backbone: keras.Model, images: np.ndarray) -> None:
    head = keras.layers.Dense(2, dtype="float32", kernel_initializer=keras.initializers.GlorotUniform(1))
    model = keras.Sequential([backbone, head])
    optimizer = keras.optimizers.SGD(0.05)
    if keras.config.dtype_policy().name == "mixed_float16":
        # At the default scale of 32768 the first steps may overflow, and a step that does changes nothing.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64.0)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    # Else the first batch makes the optimizer's variables, and the step is traced again.
    model.optimizer.build(model.trainable_variables)
    model.fit(images, np.arange(len(images)) % 2, batch_size=len(images) // 2, epochs=1, verbose=0)


@pytest.fixture
def _restore_policy():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("arch", ALL)
def test_uint8_and_float_images_give_the_same_finite_features(arch):
    # The smallest that every backbone takes.
    model = build_backbone(arch, image_size_px=96)
    images = make_images(96, 2)
    features = keras.ops.convert_to_numpy(model(images))
    assert features.shape == (2, *model.output_shape[1:])
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0, "two different photos must differ"
    np.testing.assert_array_equal(features, keras.ops.convert_to_numpy(model(images.astype("float32"))))


@pytest.mark.parametrize("arch", FAST)
def test_seed_fixes_the_weights(arch):
    one, again, other = (build_backbone(arch, image_size_px=42, seed=seed) for seed in (1, 1, 2))
    assert digest_weights(one) == digest_weights(again)
    assert digest_weights(one) != digest_weights(other)


@pytest.mark.slow
@pytest.mark.usefixtures("_restore_policy")
@pytest.mark.parametrize(
    ("arch", "policy"),
    # Variables are float32 by every policy.
    [("small", "float32"), ("dino-tiny", "mixed_bfloat16"), ("dino-tiny", "mixed_float16")],
)
def test_output_is_exactly_kept_by_saving_after_training(arch, policy, tmp_path, monkeypatch):
    train_eagerly(monkeypatch)
    keras.config.set_dtype_policy(policy)
    images = make_images(70)
    model = build_backbone(arch, image_size_px=70, seed=3)
    untrained = keras.ops.convert_to_numpy(model(images))
    set_trainable(model, "all")
    train_two_steps(model, images)
    trained = keras.ops.convert_to_numpy(model(images))
    assert np.abs(trained.astype("float32") - untrained.astype("float32")).max() > 1e-3
    path = os.fspath(tmp_path / "x.weights.h5")
    model.save_weights(path)
    rebuilt = build_backbone(arch, image_size_px=70, seed=99)
    rebuilt.load_weights(path)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(rebuilt(images)), trained)
    assert digest_weights(rebuilt) == digest_weights(model)
    from_config = keras.Model.from_config(model.get_config())
    from_config.load_weights(path)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(from_config(images)), trained)


@pytest.mark.parametrize("change", [-0.3, 0.3])
def test_a_changed_position_table_is_kept_whatever_its_sign(change, tmp_path):
    # keras-hub 0.32 decides by the sign of the summed difference whether to save the table, and then resamples it.
    images = make_images(70, 2)
    model = build_backbone("dino-tiny", image_size_px=70)
    table = next(v for v in model.weights if v.path == "tokens/position_table")
    before = keras.ops.convert_to_numpy(model(images))
    noise = change * np.random.default_rng(0).random(table.shape, dtype=np.float32)
    table.assign(keras.ops.convert_to_numpy(table) + noise)
    expected = keras.ops.convert_to_numpy(model(images))
    assert np.abs(expected - before).max() > 1e-2
    path = os.fspath(tmp_path / "x.weights.h5")
    model.save_weights(path)
    rebuilt = build_backbone("dino-tiny", image_size_px=70, seed=5)
    rebuilt.load_weights(path)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(rebuilt(images)), expected)


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ConfigError, match=r"Unknown backbone 'resnet5'\. Did you mean 'resnet50'\?"):
        build_backbone("resnet5", image_size_px=64)
    with pytest.raises(ConfigError, match="for the transformers .*lora_rank=2"):
        build_backbone("small", image_size_px=64, lora_rank=2)
    with pytest.raises(ConfigError, match=r"`image\.size_px` must give 'small' at least 32 pixels\. Received: 8"):
        build_backbone("small", image_size_px=8)


def test_misspelt_weights_are_answered_with_the_names_that_there_are():
    message = r"No weights at 'pipp'\. Did you mean 'pip'\? Of 'efficientnet-lite2' there are none, handnet-s.*, pip\. Or give"
    with pytest.raises(WeightsError, match=message):
        build_backbone("efficientnet-lite2", image_size_px=64, weights="pipp")
