"""What is trained and how fast, LoRA, recomputation: on networks small enough for a few steps."""

import keras
import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.trainable import find_depths, find_layer_rates, list_blocks, scale_rates, set_trainable
from tests.networks.backbones.fitting import IMAGES, fit, read
from tests.tiny import train_eagerly


@pytest.fixture(scope="module")
def inception_resnet() -> keras.Model:
    """Takes seconds to build; tests must not change its weights."""
    return build_backbone("inception-resnet-v1", image_size_px=80)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["small", "dino-tiny"])
def test_last_blocks_alone_change(arch, monkeypatch):
    train_eagerly(monkeypatch)
    model = build_backbone(arch, image_size_px=70)
    set_trainable(model, "last-1")
    last = list_blocks(model)[-1]
    expected = {v.path for v in model.weights if v.path.startswith((last, "norm/"))}
    assert fit(model, keras.optimizers.SGD(0.01)) == expected
    assert any("moving_mean" in path for path in expected) == (arch == "small")


@pytest.mark.slow
def test_nothing_changes_in_a_frozen_network_with_batch_norm_and_dropout(inception_resnet):
    backbone = inception_resnet
    set_trainable(backbone, "none")
    assert backbone.trainable_weights == []
    images = keras.ops.image.resize(IMAGES, (80, 80))
    moving = backbone.get_layer("conv2d_1a_bn").moving_mean
    before = np.array(keras.ops.convert_to_numpy(moving))
    training, inference = backbone(images, training=True), backbone(images, training=False)
    np.testing.assert_array_equal(training, inference)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(moving), before)


def test_norms_that_are_kept_run_as_in_inference():
    model = build_backbone("small", image_size_px=32)
    set_trainable(model, "last-2", freeze_norms=True)
    assert model.trainable_weights
    assert not any("gamma" in v.path or "beta" in v.path for v in model.trainable_weights)
    images = keras.ops.image.resize(IMAGES, (32, 32))
    # Dropout and batch statistics would make the two differ.
    np.testing.assert_array_equal(model(images, training=True), model(images, training=False))
    set_trainable(model, "last-2")
    assert any("gamma" in v.path for v in model.trainable_weights)


def test_modes_replace_each_other():
    model = build_backbone("dino-tiny", image_size_px=42, lora_rank=2)
    counts = {}
    for mode in ("all", "none", "lora", "last-2", "all"):
        set_trainable(model, mode)
        counts.setdefault(mode, set()).add(len(model.trainable_weights))
    # 4 tokens and patches, 3 blocks of 14 + 4 for LoRA, 2 of the last norm.
    assert counts == {"all": {4 + 3 * 18 + 2}, "none": {0}, "lora": {12}, "last-2": {2 * 18 + 2}}


@pytest.mark.parametrize("mode", ["last-0", "last-4", "last-x", "some", "", "lora"])
def test_impossible_modes_are_refused(mode):
    model = build_backbone("dino-tiny", image_size_px=42)
    with pytest.raises(ConfigError, match=r"Received: "):
        set_trainable(model, mode)


@pytest.mark.parametrize("arch", ["small", "resnet50", "inception-resnet-v1", "dino-tiny", "dino3-tiny"])
def test_depth_grows_from_input_to_output(arch, inception_resnet):
    model = inception_resnet if arch == inception_resnet.name else build_backbone(arch, image_size_px=80)
    depths = find_depths(model)
    num_blocks = {"small": 6, "resnet50": 16, "inception-resnet-v1": 23, "dino-tiny": 3, "dino3-tiny": 3}[arch]
    assert sorted(set(depths.values())) == list(range(num_blocks + 2))
    for operation in model.operations:
        for node in operation._inbound_nodes:
            for parent in node.parent_nodes:
                if operation.name in depths and parent.operation.name in depths:
                    assert depths[parent.operation.name] <= depths[operation.name], operation.name


def test_layer_rates_by_hand():
    model = build_backbone("dino-tiny", image_size_px=42)
    rates = find_layer_rates(model, 0.5)
    assert rates["tokens/patches/kernel"] == 0.5**4
    assert rates["block0/qkv/kernel"] == 0.5**3
    assert rates["block2/fc2/bias"] == 0.5
    assert rates["norm/gamma"] == 1.0
    for decay in (0.0, 1.5, -1.0):
        with pytest.raises(ConfigError, match=f"at most 1. Received: {decay}"):
            find_layer_rates(model, decay)


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [None, 2])
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
@pytest.mark.parametrize("weight_decay", [0.0, 5.0])
def test_each_variable_moves_at_its_own_rate(name, accumulate, weight_decay):
    model = build_backbone("dino-tiny", image_size_px=42, seed=1)
    rates = find_layer_rates(model, 0.5)
    # Two of each block.
    of_rate = {rate: [v for v in model.trainable_variables if rates[v.path] == rate] for rate in set(rates.values())}
    variables = [v for found in of_rate.values() for v in (found[0], found[-1])]
    assert len({v.path for v in variables}) == 10
    before = {path: values for path, values in read(model).items() if path in {v.path for v in variables}}
    rng = np.random.default_rng(0)
    gradients = [rng.standard_normal(v.shape).astype(np.float32) for v in variables]

    def move(optimizer_class: type) -> dict[str, np.ndarray]:
        for variable in variables:
            variable.assign(before[variable.path])
        optimizer = optimizer_class(0.01, weight_decay=weight_decay, gradient_accumulation_steps=accumulate)
        for _ in range(accumulate or 1):
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
        return {v.path: keras.ops.convert_to_numpy(v.value) - before[v.path] for v in variables}

    plain, unscaled = move(getattr(keras.optimizers, name)), move(scale_rates(getattr(keras.optimizers, name), {}))
    scaled = move(scale_rates(getattr(keras.optimizers, name), rates))
    for variable in variables:
        path = variable.path
        np.testing.assert_allclose(unscaled[path], plain[path], rtol=1e-4, atol=1e-6, err_msg=path)
        np.testing.assert_allclose(scaled[path], rates[path] * plain[path], rtol=1e-4, atol=1e-6, err_msg=path)
        assert np.abs(plain[path]).max() > 0.005


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_average_and_accumulation_work_together_in_half_precision(policy):
    # One weight whose gradient is -1: each update adds the rate. The schedule counts batches (rates 1.0, 0.9, …) and
    # updates take every second; the average is taken at every batch, not at every update, and starts as the weight.
    keras.config.set_dtype_policy(policy)
    try:
        inputs = keras.Input((1,))
        dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Model(inputs, dense(inputs))
    finally:
        keras.config.set_dtype_policy("float32")
    rate = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    optimizer = scale_rates(keras.optimizers.SGD, {})(
        rate, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2
    )
    model.compile(optimizer, lambda _targets, outputs: -keras.ops.mean(outputs))
    ones, weights, averages = np.ones((4, 1), np.float32), [], []
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    for _ in range(6):
        model.train_on_batch(ones, ones)
        weights.append(float(dense.kernel.numpy()[0, 0]))
        averages.append(float(inner._model_variables_moving_average[0].numpy()[0, 0]))
    np.testing.assert_allclose(weights, [0.0, 0.9, 0.9, 1.6, 1.6, 2.1], atol=1e-3)
    np.testing.assert_allclose(averages, [0.0, 0.9, 0.9, 1.25, 1.425, 1.7625], atol=1e-3)
