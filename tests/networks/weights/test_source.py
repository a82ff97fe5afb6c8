"""Weights read from files and folders of every layout, checked against what lies beside them."""

import hashlib
import json
import os

import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.manifest import Manifest, hash_file, write_manifest
from handnet.networks.weights.names import drop_unused, rename_resnet, rename_transformer, rename_vgg
from handnet.networks.weights.safetensors import write_safetensors
from handnet.networks.weights.source import Rename, is_keras_hub_folder, read_pretrained, to_scale_and_offset
from tests.networks.backbones.sources import write_pth

STATE = {"conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), "bn1.weight": np.ones(2, np.float32)}


def make_record(folder, **changes) -> None:
    write_safetensors(folder / "weights.safetensors", STATE)
    size, sha256 = (folder / "weights.safetensors").stat().st_size, hash_file(folder / "weights.safetensors")
    fields = {"arch": "resnet50", "file": "weights.safetensors", "num_bytes": size, "sha256": sha256}
    write_manifest(folder, Manifest(**{**fields, "source": "here", "licence": "none", **changes}))


def test_hash_of_known_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert hash_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_recorded_folder_and_the_file_in_it_are_read(tmp_path):
    make_record(tmp_path, pixel_scale=(1.0, 2.0, 3.0), pixel_offset=(0.0, 0.5, 1.0))
    for path in (tmp_path, tmp_path / "weights.safetensors"):
        pretrained = read_pretrained(path)
        assert (pretrained.arch, pretrained.pixel_scale, pretrained.pixel_offset) == (
            "resnet50",
            (1, 2, 3),
            (0, 0.5, 1),
        )
        np.testing.assert_array_equal(pretrained.state["conv1.weight"], STATE["conv1.weight"])


@pytest.mark.parametrize("path", ["", "weights.safetensors"])
def test_a_swapped_or_truncated_file_is_refused(path, tmp_path):
    make_record(tmp_path)
    file = tmp_path / "weights.safetensors"
    whole = file.read_bytes()
    write_safetensors(file, {**STATE, "bn1.weight": np.zeros(2, np.float32)})
    with pytest.raises(WeightsError, match="SHA-256 begins with"):
        read_pretrained(tmp_path / path)
    file.write_bytes(whole[:-1])
    with pytest.raises(WeightsError, match=f"has {len(whole) - 1:,} bytes instead of {len(whole):,}"):
        read_pretrained(tmp_path / path)
    file.unlink()
    with pytest.raises(WeightsError, match=r"is missing|No weights at"):
        read_pretrained(tmp_path / path)


def test_a_file_whose_name_has_another_checksum_is_refused(tmp_path):
    write_pth(tmp_path / "x.pth", STATE)
    digits = hashlib.sha256((tmp_path / "x.pth").read_bytes()).hexdigest()[:8]
    (tmp_path / "x.pth").rename(tmp_path / f"resnet50-{digits}.pth")
    assert set(read_pretrained(tmp_path / f"resnet50-{digits}.pth").state) == set(STATE)
    (tmp_path / f"resnet50-{digits}.pth").rename(tmp_path / "resnet50-0676ba61.pth")
    with pytest.raises(WeightsError, match="expected 0676ba61"):
        read_pretrained(tmp_path / "resnet50-0676ba61.pth")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a record"),
        ("[]", "not a record"),
        ('{"arch": "x"}', "not a record"),
        (None, "has format 2; this version reads 1"),
        ("../x", "outside its folder"),
    ],
)
def test_damaged_records_are_refused(text, message, tmp_path):
    if text is None:
        make_record(tmp_path, format=2)
    elif text == "../x":
        make_record(tmp_path, file="../x")
    else:
        (tmp_path / "handnet.json").write_text(text)
    with pytest.raises(WeightsError, match=message):
        read_pretrained(tmp_path)


def test_pixel_values_come_with_the_weights(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", STATE)
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": "resnet50", "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2]}})
    )
    # (255 / 255 - mean) / std
    scale, offset = (np.array(row) for row in read_pretrained(tmp_path)[1:3])
    np.testing.assert_allclose(255 * scale + offset, [1.0, 2.4, 3.5])
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 127.5})
    )
    scale, offset = (np.array(row) for row in read_pretrained(tmp_path)[1:3])
    np.testing.assert_allclose(255 * scale + offset, [3.0] * 3)
    np.testing.assert_allclose(offset, [-1.0] * 3)


def test_scale_and_offset_by_hand():
    scale, offset = to_scale_and_offset((0.5, 0.0, 1.0), (0.5, 1.0, 2.0), factor=0.5)
    assert scale == (1.0, 0.5, 0.25)
    assert offset == (-1.0, 0.0, -0.5)


def test_a_sharded_folder_is_read_whole_or_refused(tmp_path):
    for index, name in enumerate(STATE):
        write_safetensors(tmp_path / f"part{index}.safetensors", {name: STATE[name]})
    index = {"weight_map": {name: f"part{i}.safetensors" for i, name in enumerate(STATE)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text("{}")
    assert set(read_pretrained(tmp_path).state) == set(STATE)
    (tmp_path / "part1.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"lacks 'part1.safetensors' of 2 weight files"):
        read_pretrained(tmp_path)


def test_what_holds_no_weights_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"No weights at .*handnet weights list"):
        read_pretrained(tmp_path / "nothing")
    with pytest.raises(WeightsError, match="holds neither"):
        read_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert not is_keras_hub_folder(tmp_path)
    with pytest.raises(WeightsError, match="no model.safetensors"):
        read_pretrained(tmp_path)
    write_safetensors(tmp_path / "model.safetensors", STATE)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(WeightsError, match="not a JSON object"):
        read_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes(os.urandom(9) + b"\xff")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_pretrained(tmp_path)


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
