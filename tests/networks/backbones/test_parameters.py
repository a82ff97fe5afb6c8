"""Parameters counted, memory estimated, weights digested."""

import keras
import numpy as np
import pytest

from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.parameters import (
    count_parameters,
    describe_parameters,
    digest_weights,
    estimate_memory,
)
from handnet.networks.backbones.trainable import set_trainable
from handnet.networks.backbones.vision_transformer.vit_size import VitSize
from handnet.networks.weights.catalogue import collect_published

PUBLISHED = collect_published()


def size_of(arch: str):
    return BACKBONES[arch].build.args[0]


def count_transformer_parameters(size: VitSize, image_size_px: int) -> int:
    """Return the parameters of a transformer without building it.

    Args:
        size: the architecture.
        image_size_px: side of the input.
    """
    width, hidden = size.width, size.hidden_width
    inner = 2 * hidden if size.gated else hidden
    attention = width * 3 * width + 3 * width + width * width + width
    feed = width * inner + inner + hidden * width + width
    block = attention + feed + 6 * width
    patches = 3 * size.patch_px**2 * width + width
    grid = image_size_px // size.patch_px
    positions = 0 if size.rope_theta else (1 + grid * grid) * width
    return size.num_blocks * block + patches + positions + (1 + size.num_registers) * width + 2 * width + 6


@pytest.mark.parametrize("arch", ["dino-tiny", "dino-tiny-reg", "dino3-tiny"])
@pytest.mark.parametrize("side_px", [42, 96])
def test_formula_equals_the_built_network(arch, side_px):
    model = build_backbone(arch, image_size_px=side_px)
    assert count_transformer_parameters(size_of(arch), side_px) == count_parameters(model)[0]


@pytest.mark.parametrize(
    ("arch", "published", "mask_token"),
    [
        # Parameters of facebook/dinov2-* and facebook/dinov3-* as transformers counts them (transformers 5.23 builds them
        # from their configurations); the mask token is not built here.
        ("dino-small", 22_056_576, 384),
        ("dino", 86_580_480, 768),
        ("dino-large", 304_368_640, 1024),
        ("dino-giant", 1_136_480_768, 1536),
        ("dino-base-reg", 86_583_552, 768),
    ],
)
def test_sizes_are_the_published_ones(arch, published, mask_token):
    assert count_transformer_parameters(size_of(arch), 518) - 6 == published - mask_token


@pytest.mark.parametrize("name", [name for name, listed in PUBLISHED.items() if BACKBONES[listed.arch].is_transformer])
def test_the_catalogue_counts_transformers_right(name):
    arch, published = PUBLISHED[name]
    size = size_of(arch)
    assert published.num_parameters == count_transformer_parameters(size, published.image_size_px) - 6
    assert published.width == size.width


@pytest.mark.slow
def test_the_catalogue_counts_resnet50_right():
    model = build_backbone("resnet50", image_size_px=32)
    assert count_parameters(model)[0] - 6 == PUBLISHED["resnet50"].weights.num_parameters
    assert model.output_shape[1] == PUBLISHED["resnet50"].weights.width


def test_description_by_hand():
    model = build_backbone("dino-tiny", image_size_px=42)
    set_trainable(model, "last-1")
    # One block: 64·192 + 192 + 64·64 + 64 + 2·64·128 + 128 + 64 + 6·64 = 33,600; the last norm: 128.
    total = 128 * 196 * 3 // 2 + 64 + 64 + 10 * 64 + 3 * 33_600 + 128 + 6
    line = describe_parameters(model)
    assert line == f"{total:,} parameters, 33,728 trained; about 0 MiB for weights, gradients and two moments"
    assert estimate_memory(model, 0) == {"weights": 4 * (total + 3 * 33_728), "activations": 0}
    assert "at 8 photos a step" in describe_parameters(model, 8)


def test_memory_shrinks_with_what_is_frozen_recomputed_or_halved():
    def estimate(mode: str = "all", **options) -> int:
        model = build_backbone("dino-tiny", image_size_px=98, **options)
        set_trainable(model, mode)
        return estimate_memory(model, 4)["activations"]

    whole = estimate()
    assert estimate("none") == 0
    assert estimate("last-1") < estimate("last-2") < whole
    assert estimate(recompute=True) < whole
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert estimate() * 2 == whole
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_model_around_the_backbone_is_estimated_too():
    backbone = build_backbone("small", image_size_px=64)
    images = keras.Input((64, 64, 3))
    model = keras.Model(images, keras.layers.Dense(8)(backbone(images)))
    alone = estimate_memory(backbone, 2)["activations"]
    # float32: two photos of eight values more.
    assert estimate_memory(model, 2)["activations"] == alone + 2 * 8 * 4


def test_the_digest_sees_one_changed_value():
    model = build_backbone("dino-tiny", image_size_px=42)
    digests = [digest_weights(model)]
    bias = model.get_layer("block1").fc1.bias
    bias.assign(np.eye(1, 128, 7, dtype=np.float32)[0] * 1e-7)
    digests.append(digest_weights(model))
    bias.assign(np.zeros(128, np.float32))
    assert digest_weights(model) == digests[0] != digests[1]
