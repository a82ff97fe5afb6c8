"""Two training steps on the Keras backend of the environment; a program's arguments are FOLDER ARCH….

The folder holds ARCH.weights.h5 of each network; ARCH.BACKEND.npz are written there.
"""

import os
import sys
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np

from handnet.losses import build_loss
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.trainable import set_trainable
from handnet.networks.encoder import UnitNormalization

SIDE_PX = 70
LABELS = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]], np.int32)


def run(folder: Path, arch: str) -> Path:
    """Embed six images, train two steps on them by triplets, embed them again; return the file that has both."""
    images = np.random.default_rng(0).integers(0, 256, (len(LABELS), SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    # Every weight comes from the file: JAX would compile the drawing of each shape of kernel first.
    with patch.object(keras.initializers.VarianceScaling, "__call__", keras.initializers.Zeros()):
        backbone = build_backbone(arch, image_size_px=SIDE_PX, seed=5)
    backbone.load_weights(os.fspath(folder / f"{arch}.weights.h5"))
    set_trainable(backbone, "all")
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3))
    model = keras.Model(inputs, UnitNormalization()(backbone(inputs)))
    # Compiled whole, and once for both: operation by operation JAX compiles each of them.
    before = model.predict_on_batch(images)
    loss = build_loss("triplet", {"margin": 0.5})
    model.compile(keras.optimizers.SGD(0.02), loss)
    # Else the first batch makes the optimizer's variables, and the step is traced again.
    model.optimizer.build(model.trainable_variables)
    losses = [float(model.train_on_batch(images, LABELS)) for _ in range(2)]
    after = model.predict_on_batch(images)
    out = folder / f"{arch}.{keras.backend.backend()}.npz"
    np.savez(out, before=before, after=after, losses=losses)
    return out


def main() -> None:
    """Run those that the arguments name."""
    for name in sys.argv[2:]:
        run(Path(sys.argv[1]), name)
