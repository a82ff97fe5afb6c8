"""Finished runs that nobody has trained: the encoder as it begins, in a run folder, in a fraction of a second."""

from pathlib import Path

import numpy as np
from PIL import Image

from handnet.config.run_folder import WEIGHTS_FILE, Run, create_run
from handnet.config.settings import Config
from handnet.data.dataset import DataSet
from handnet.data.splits.rules import make_split
from handnet.networks.encoder import build_encoder
from tests.tiny import tiny_config

FRACTIONS = {"split": "fractions", "split_options": {"train": 0.4, "val": 0.3, "test": 0.3}}


def build_run(folder: Path, dataset: DataSet, config: Config | None = None) -> Run:
    """Make a run of an untrained encoder; BACKBONES must hold `tiny`."""
    config = config or tiny_config(data=FRACTIONS)
    split = make_split(config.data.split, dataset, config.data.split_options)
    facts = {
        "status": "finished",
        "data": {"directory": dataset.directory, "fingerprint": "x"},
        "packages": {"handnet": "0"},
        "epochs_done": 0,
    }
    run = create_run(folder, config, facts, split)
    build_encoder(config).model.save_weights(folder / WEIGHTS_FILE)
    return run


def write_things(folder: Path, num_things: int = 10, photos: int = 4) -> Path:
    """Write photos without views, a folder for each thing, each of a colour of its own."""
    rng = np.random.default_rng(5)
    for k in range(num_things):
        color = rng.uniform(40, 215, 3)
        (folder / f"t{k}").mkdir(parents=True)
        for n in range(photos):
            pixels = color + rng.normal(0, 12, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"t{k}" / f"{n}.png")
    return folder
