"""The vision transformer in training."""

import dataclasses

import keras
import numpy as np
import pytest

from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.vision_transformer import dino
from handnet.networks.backbones.vision_transformer.vit import build_vit
from tests.networks.backbones.fitting import fit, read


@pytest.mark.slow
def test_recomputed_activations_give_the_same_step():
    after = []
    for recompute in (False, True):
        model = build_backbone("dino-tiny", image_size_px=70, recompute=recompute)
        fit(model, keras.optimizers.SGD(0.01), steps=2)
        after.append(read(model))
    for path in after[0]:
        np.testing.assert_allclose(after[1][path], after[0][path], rtol=1e-4, atol=1e-6, err_msg=path)


def test_dropped_paths_drop_whole_images_in_training_alone():
    model = build_backbone("dino-tiny", image_size_px=42, drop_path_rate=0.9)
    block = model.get_layer("block2")
    tokens = np.random.default_rng(0).standard_normal((64, 10, 64)).astype(np.float32)
    np.testing.assert_array_equal(block(tokens, training=False), block(tokens, training=False))
    changed = np.abs(keras.ops.convert_to_numpy(block(tokens, training=True)) - tokens[:, :1]).max((1, 2)) > 0
    # Both branches of an image are dropped with probability 0.81: 12 of 64 change on average.
    assert 2 <= changed.sum() <= 28
    assert model.get_layer("block0").drop_path_rate == 0.0


def test_the_last_block_computes_the_class_token_alone_and_all_tokens_for_a_tap():
    size = dataclasses.replace(dino.TINY, num_blocks=2)
    alone, whole = (build_vit(size, 42, name="vit", seed=1, all_tokens=all_tokens) for all_tokens in (False, True))
    assert alone.get_layer("block1").output.shape == (None, 1, size.width)
    assert whole.get_layer("block1").output.shape == (None, 10, size.width)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0.0, 0.2, v.shape).astype(np.float32) for v in alone.weights]
    alone.set_weights(weights)
    whole.set_weights(weights)
    images = rng.integers(0, 256, (3, 42, 42, 3), np.uint8)
    np.testing.assert_allclose(alone(images), whole(images), atol=1e-6)
    assert BACKBONES["dino-tiny"].is_transformer
