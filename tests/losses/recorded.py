"""Values of other implementations on one small batch, recorded: tests/oracles."""

import json
from pathlib import Path

import numpy as np

from handnet.losses import build_loss

ORACLES = Path(__file__).parents[1] / "oracles"
TFA = json.loads((ORACLES / "tfa_oracle.json").read_text())
PML = json.loads((ORACLES / "pml_oracle.json").read_text())
INPUT = np.load(ORACLES / "oracle_input.npz")
ROWS = {"raw": INPUT["E"], "l2norm": INPUT["En"]}
LABELS = np.stack([INPUT["L"], np.zeros_like(INPUT["L"])], axis=1).astype("int32")


def loss_of(name, options, rows):
    return float(build_loss(name, options)(LABELS, ROWS[rows]))
