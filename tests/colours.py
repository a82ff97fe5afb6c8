"""Photos of one colour each, and a run with a classifier of pairs that is trained on them from the command line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

SETTINGS = [
    *("data.reader=folder", "data.split=fractions", "data.split_options.train=0.5", "data.split_options.val=0.3"),
    *("data.split_options.test=0.2", "image.size_px=32", "loss.options.views=any", "sampler.people_per_batch=4"),
    *("sampler.passes_per_epoch=2", "model.hidden_size=16", "model.embedding_size=8", "train.precision=float32"),
    *("pairs.form=absolute-difference", "pairs.epochs=30", "pairs.learning_rate=1e-2", "pairs.hidden_sizes=[8]"),
    "augment.color_probability=0",
]


def write_colours(folder: Path, num_classes: int = 18, photos: int = 4) -> Path:
    """Write a folder of photos for each of some classes, each class a colour of its own."""
    rng = np.random.default_rng(1)
    for k in range(num_classes):
        (folder / f"c{k:02d}").mkdir(parents=True)
        color = rng.uniform(20, 235, 3)
        for number in range(photos):
            pixels = color + rng.normal(0, 10, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"c{k:02d}" / f"{number}.png")
    return folder


def list_arguments(data: Path, *options: str, settings: Sequence[str] = SETTINGS) -> list[str]:
    """Return the command line that trains a tiny encoder and a classifier of pairs on photos of one colour each."""
    return ["train", "--data", str(data), "--arch", "tiny", *options, *(f"--set={setting}" for setting in settings)]


def train_on_colours(folder: Path) -> None:
    """Write `data`, train `run` on it and evaluate it."""
    from handnet.cli.main import cli
    from handnet.networks.backbones import BACKBONES
    from tests.tiny import tiny_backbone

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(folder / "cache"))
        patch.setitem(BACKBONES, "tiny", tiny_backbone())
        data = write_colours(folder / "data")
        arguments = list_arguments(data, "--loss", "triplet", "--epochs", "2")
        for command in ([*arguments, "--run", str(folder / "run")], ["eval", str(folder / "run")]):
            result = CliRunner().invoke(cli, command, catch_exceptions=False)
            assert result.exit_code == 0, result.output
