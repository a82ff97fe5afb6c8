"""LoRA on the attention."""

import keras
import numpy as np
import pytest

from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.trainable import set_trainable
from handnet.networks.backbones.vision_transformer.lora import merge_lora
from tests.networks.backbones.fitting import IMAGES, fit


@pytest.mark.slow
def test_lora_begins_as_nothing_trains_alone_and_merges(tmp_path):
    plain = build_backbone("dino-tiny", image_size_px=70, seed=2)
    model = build_backbone("dino-tiny", image_size_px=70, seed=7, lora_rank=4, lora_alpha=8.0)
    for variable in plain.weights:
        next(v for v in model.weights if v.path == variable.path).assign(variable)
    start = keras.ops.convert_to_numpy(plain(IMAGES))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(IMAGES)), start)
    set_trainable(model, "lora")
    changed = fit(model, keras.optimizers.Adam(0.01), steps=3)
    assert changed == {v.path for v in model.weights if "_lora_" in v.path}
    trained = keras.ops.convert_to_numpy(model(IMAGES))
    assert np.abs(trained - start).max() > 0.01
    merged = merge_lora(model)
    assert merged.count_params() == plain.count_params()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(merged(IMAGES)), trained, atol=2e-6)
    # The updates themselves are saved: Keras's own enable_lora saves the merged matrix and loads zeros, which never
    # train again, since each half's gradient is multiplied by the other.
    model.save_weights(tmp_path / "x.weights.h5")
    again = build_backbone("dino-tiny", image_size_px=70, seed=8, lora_rank=4, lora_alpha=8.0)
    again.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(IMAGES)), trained)


def test_lora_merges_inside_a_larger_model():
    backbone = build_backbone("dino-tiny", image_size_px=42, lora_rank=2)
    for variable in backbone.weights:
        if "_lora_up" in variable.path:
            variable.assign(0.1 * np.random.default_rng(0).standard_normal(variable.shape))
    images = keras.Input((42, 42, 3))
    model = keras.Model(images, keras.layers.Dense(5, name="head")(backbone(images)))
    inputs = IMAGES[:, :42, :42]
    expected = keras.ops.convert_to_numpy(model(inputs))
    merged = merge_lora(model)
    assert not any("_lora_" in v.path for v in merged.weights)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(merged(inputs)), expected, atol=2e-6)


def test_without_lora_there_is_nothing_to_merge():
    model = build_backbone("dino-tiny", image_size_px=42)
    assert merge_lora(model) is model
