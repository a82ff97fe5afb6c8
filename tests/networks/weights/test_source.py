"""Weights read from files and folders of every layout, checked against what lies beside them."""

import hashlib
import json
import os

import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.safetensors import write_safetensors
from handnet.networks.weights.source import is_keras_hub_folder, read_pretrained, to_scale_and_offset
from tests.networks.backbones.sources import write_pth
from tests.networks.weights.records import STATE, make_record


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
    with pytest.raises(WeightsError, match="expected a JSON object, found a list"):
        read_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes(os.urandom(9) + b"\xff")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.json", '{"pretrained_cfg": {"mean": ["a", "b", "c"], "std": [1, 1, 1]}}', "'mean' must hold a number"),
        ("config.json", '{"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [1]}}', "'std' must hold a number"),
        ("config.json", '{"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [1, 0, 1]}}', "'std' must be above 0"),
        ("config.json", '{"pretrained_cfg": {"mean": 0.5, "std": 1}}', "'mean' must hold a number"),
        ("preprocessor_config.json", '{"rescale_factor": "x"}', "'rescale_factor' must be a number above 0"),
        ("config.json", "[" * 100_000, "nested too deeply"),
        ("model.safetensors.index.json", "{}", "names no weight files"),
        ("model.safetensors.index.json", '{"weight_map": [1]}', "names no weight files"),
        ("model.safetensors.index.json", '{"weight_map": {"a": 1}}', "names no weight files"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "../x"}}', "names a file outside its folder: '../x'"),
    ],
)
def test_what_a_published_folder_says_wrongly_is_refused_in_words(file, text, message, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    if "index" not in file:
        write_safetensors(tmp_path / "model.safetensors", STATE)
    (tmp_path / file).write_text(text)
    with pytest.raises(WeightsError, match=message):
        read_pretrained(tmp_path)


@pytest.mark.parametrize("config", ["{}", '{"pretrained_cfg": null}', '{"pretrained_cfg": {"mean": null}}'])
def test_a_published_folder_may_say_nothing_of_its_pixels(config, tmp_path):
    write_safetensors(tmp_path / "model.safetensors", STATE)
    (tmp_path / "config.json").write_text(config)
    assert read_pretrained(tmp_path).pixel_scale == ()
