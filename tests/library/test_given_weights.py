"""Damaged weights are said before a photo is looked at, by everything that trains."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

import handnet
from handnet.cli.main import cli
from handnet.errors import WeightsError
from handnet.library.given_weights import check_given_weights
from handnet.networks.complete_config import complete_config


def train_by_command(weights: Path) -> None:
    options = ["--arch", "dino-tiny", "--weights", str(weights), "--run", "run"]
    CliRunner().invoke(cli, ["train", *options], catch_exceptions=False, standalone_mode=False)


def cross_validate(weights: Path) -> None:
    options = ["--set", "model.arch=dino-tiny", "--set", f"model.weights={weights}", "--run", "run"]
    CliRunner().invoke(cli, ["cv", *options], catch_exceptions=False, standalone_mode=False)


def find_the_rate(weights: Path) -> None:
    Path("dino.toml").write_text(f'[model]\narch = "dino-tiny"\nweights = "{weights}"\n')
    CliRunner().invoke(cli, ["lr-find", "dino.toml"], catch_exceptions=False, standalone_mode=False)


def train_from_python(weights: Path) -> None:
    handnet.train({"model": {"arch": "dino-tiny", "weights": str(weights)}}, run="run")


@pytest.mark.parametrize("train", [train_by_command, cross_validate, find_the_rate, train_from_python])
def test_damaged_weights_are_said_before_photos_are_looked_at(
    train: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the photos come after the weights")

    monkeypatch.setattr("handnet.library.data_folder.read_data", refuse)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "weights.safetensors"
    save_file({"cls_token": np.zeros((1, 1, 64), np.float32)}, file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(WeightsError, match=r"weights\.safetensors' is not a whole safetensors file"):
        train(file)
    assert not (tmp_path / "run").exists()


def test_weights_of_a_source_are_tried_unless_it_is_off(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"conv_stem.weight": np.zeros((1, 3, 3, 3), np.float32)}, file)
    sources = {"lite2": {"weights": str(file)}, "hand": {"off": True}, "lite2_aligned": {"off": True}}
    tree = {"model": {"arch": "hand-lite2", "sources": sources}}
    with pytest.raises(WeightsError, match="do not fit 'efficientnet-lite2'"):
        check_given_weights(complete_config(tree))
    left = {"lite2": {**sources["lite2"], "off": True}, "lite2_aligned": {"off": True}}
    check_given_weights(complete_config({"model": {"arch": "hand-lite2", "sources": left}}))
