"""State dicts of other implementations under the names of the reference one."""

import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.names import drop_unused, rename_resnet, rename_transformer, rename_vgg
from handnet.networks.weights.source import Rename, read_pretrained
from tests.networks.backbones.sources import write_pth


def rename(*names: str, by: Rename = rename_transformer) -> list[str]:
    return sorted(by({name: np.zeros((3, 3)) for name in names}))


def test_wrappers_heads_and_counters_are_taken_off():
    assert rename("module.conv1.weight", "module.fc.weight", "module.bn1.num_batches_tracked", by=rename_resnet) == [
        "conv1.weight"
    ]
    assert rename("dinov2.embeddings.cls_token", "dinov2.embeddings.mask_token", "classifier.weight") == ["cls_token"]
    assert rename("backbone.cls_token", "dino_head.mlp.weight") == ["cls_token"]
    assert rename("logits.weight", "last_bn.weight", by=drop_unused) == ["last_bn.weight"]
    # What no rule knows stays, and is refused by name when it is put into the network.
    assert rename("blocks.0.surprise", "cls_token") == ["blocks.0.surprise", "cls_token"]


def test_torchvisions_vgg16_takes_the_names_of_keras():
    renamed = rename(
        "features.0.weight", "features.28.bias", "classifier.0.weight", "pre_logits.fc1.weight", by=rename_vgg
    )
    assert renamed == ["block1_conv1.weight", "block5_conv3.bias"]
    # VGG16 with batch normalisation is another network: what does not belong stays, to be refused by name.
    assert rename("features.0.weight", "features.1.running_mean", by=rename_vgg) == [
        "block1_conv1.weight",
        "features.1.running_mean",
    ]


def test_variants_of_metas_names():
    assert rename("blocks.0.3.attn.qkv.weight", "blocks.1.mlp.w12.bias", "blocks.1.mlp.w3.bias") == [
        "blocks.1.mlp.fc1.bias",
        "blocks.1.mlp.fc2.bias",
        "blocks.3.attn.qkv.weight",
    ]
    assert rename("storage_tokens", "blocks.0.gamma_2") == ["blocks.0.ls2.gamma", "register_tokens"]
    assert rename("cls_token", "rope_embed.periods", "blocks.0.attn.qkv.bias_mask") == ["cls_token"]


def test_metas_dinov3_gate_comes_first():
    joined = rename_transformer({f"blocks.0.mlp.w{i}.weight": np.full((1, 1), i) for i in (1, 2, 3)})
    np.testing.assert_array_equal(joined["blocks.0.mlp.fc1.weight"], [[1], [2]])
    np.testing.assert_array_equal(joined["blocks.0.mlp.fc2.weight"], [[3]])
    assert len(joined) == 2


def test_arrays_that_do_not_belong_together_are_refused(tmp_path):
    state = {"blocks.0.mlp.w1.weight": np.zeros((2, 3), np.float32), "blocks.0.mlp.w2.weight": np.zeros(4, np.float32)}
    write_pth(tmp_path / "x.pth", state)
    with pytest.raises(WeightsError, match="do not belong together"):
        read_pretrained(tmp_path / "x.pth", rename_transformer)


def test_queries_keys_and_values_are_joined_in_metas_order():
    state = {f"layer.0.attention.{part}_proj.weight": np.full((2, 2), i) for i, part in enumerate("qkv")}
    state.update({f"layer.0.attention.{part}_proj.bias": np.full(2, i + 1) for i, part in enumerate("qv")})
    joined = rename_transformer({"embeddings.cls_token": np.zeros(2), **state})
    np.testing.assert_array_equal(joined["blocks.0.attn.qkv.weight"][:, 0], [0, 0, 1, 1, 2, 2])
    # DINOv3's keys have no bias.
    np.testing.assert_array_equal(joined["blocks.0.attn.qkv.bias"], [1, 1, 0, 0, 2, 2])
