"""Two training steps on the Keras backend of the environment: `python -m tests.networks.backbones.two_steps ARCH WEIGHTS OUT`."""

import sys

import keras
import numpy as np

from handnet.losses import build_loss
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.trainable import set_trainable
from handnet.networks.encoder import UnitNormalization

SIDE_PX = 70
LABELS = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]], np.int32)


def run(arch: str, weights: str, out: str) -> None:
    """Embed six images, train two steps on them by triplets, embed them again; write both to `out`."""
    images = np.random.default_rng(0).integers(0, 256, (len(LABELS), SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    backbone = build_backbone(arch, image_size_px=SIDE_PX, seed=5)
    if weights:
        backbone.load_weights(weights)
    set_trainable(backbone, "all")
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3))
    model = keras.Model(inputs, UnitNormalization()(backbone(inputs)))
    before = keras.ops.convert_to_numpy(model(images))
    loss = build_loss("triplet", {"margin": 0.5})
    model.compile(keras.optimizers.SGD(0.02), loss)
    losses = [float(model.train_on_batch(images, LABELS)) for _ in range(2)]
    after = keras.ops.convert_to_numpy(model(images))
    np.savez(out, before=before, after=after, losses=losses)


if __name__ == "__main__":
    run(*sys.argv[1:])
