"""Write the weights that come with handnet ("handnet-synthetic"), learnt from synthetic hands alone.

Commands: those in the header of configs/synthetic_pretraining.toml, then
    python benchmarks/synthetic_weights.py runs/synthetic runs/synthetic-second data/synthetic-3000 \
        handnet/networks/weights/synthetic

Of the runs it takes the backbones `mini`; of the photos of the first 600 people the mean outline to which hands are aligned.
Each network's last norm is scaled so that its features deviate by 1.2 where each group of the descriptor deviates by 1; what
the groups and the colours of whole photos deviate by is printed, for `GROUPS` and `PHOTO_DEVIATION`.
"""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from handnet.networks.backbones.hand.alignment import HandAlignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
DEVIATION = 1.2
PEOPLE = 600
BATCH = 64


def compute_deviation(features: npt.NDArray[np.float32]) -> float:
    """Return the root mean square distance of rows from their mean."""
    return float(np.sqrt(np.mean(np.sum(np.square(features - features.mean(axis=0)), axis=1))))


def find_mean_outline(
    images: npt.NDArray[np.float32], alignment: "HandAlignment", rounds: int = 6
) -> npt.NDArray[np.float32]:
    """Return the mean outline of hands that are aligned to it, from none (Learned-Miller's congealing).

    Args:
        images: (N, S, S, 3), 0..255: upright hands on white.
        alignment: a layer built for them, whose weights are changed.
        rounds: of aligning all hands and taking their mean.

    Returns:
        (32, 32), 0..1; the alignment's weights are made from it.
    """
    from keras import ops

    from handnet.networks.backbones.hand.alignment import (
        BLUR_FRACTION,
        TEMPLATE_CELLS,
        cover_hand,
        find_gain,
        gaussian_rows,
    )

    rows = gaussian_rows(images.shape[1], TEMPLATE_CELLS, BLUR_FRACTION * images.shape[1])
    batches = np.array_split(images, math.ceil(len(images) / 128))
    template = np.zeros((TEMPLATE_CELLS, TEMPLATE_CELLS), np.float32)
    for _ in range(rounds):
        sums = [
            np.sum(rows @ ops.convert_to_numpy(cover_hand(alignment(batch))) @ rows.T, axis=0, dtype=np.float64)
            for batch in batches
        ]
        template = (np.sum(sums, axis=0) / len(images)).astype(np.float32)
        gain, decay = find_gain(template)
        alignment.template.assign(template)
        alignment.gain.assign(gain)
        alignment.decay.assign(decay)
    return template


def main() -> None:
    """Write the folder and print the deviations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()

    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import keras

    from handnet.config.image import ImageConfig
    from handnet.config.run_folder import read_run
    from handnet.data.readers.hands11k import read_hands11k
    from handnet.files import new_folder
    from handnet.images.photo_store import load_cached, prepare_photos
    from handnet.networks.backbones.build import build_backbone, draw_weights
    from handnet.networks.backbones.hand.backbone import SECOND, build_hand
    from handnet.networks.backbones.hand.descriptor import GROUPS, PHOTO_DEVIATION, HandDescriptor, PhotoColours
    from handnet.networks.encoder import load_encoder
    from handnet.networks.weights.manifest import Manifest, hash_file, write_manifest
    from handnet.networks.weights.safetensors import write_safetensors

    run = read_run(args.run)
    networks = {"": load_encoder(run).backbone, SECOND: load_encoder(read_run(args.second)).backbone}
    examples = read_hands11k(args.data).examples
    people = sorted({example.identity for example in examples})[:PEOPLE]
    paths = [example.path for example in examples if example.identity in set(people)]
    images = load_cached(prepare_photos(paths, run.config.image).files, run.config.image.size_px).astype(np.float32)
    batches = [images[k : k + BATCH] for k in range(0, len(images), BATCH)]

    hand = build_hand(run.config.image.size_px)
    draw_weights(hand, seed=0)
    alignment = hand.get_layer("alignment")
    template = find_mean_outline(images, alignment)
    aligned = [keras.ops.convert_to_numpy(alignment(batch)) for batch in batches]
    described = np.concatenate([keras.ops.convert_to_numpy(HandDescriptor()(batch)) for batch in aligned])
    begin = 0
    for group in GROUPS:
        deviation = group.deviation * compute_deviation(described[:, begin : begin + group.width])
        print(f"{group.name}: {deviation:.2f} (in the code: {group.deviation})")
        begin += group.width
    whole = ImageConfig(size_px=64, fit="stretch")
    photos = load_cached(prepare_photos(paths, whole).files, whole.size_px)
    colours = keras.ops.convert_to_numpy(PhotoColours()(photos))
    print(f"colours of whole photos: {PHOTO_DEVIATION * compute_deviation(colours):.2f}")
    state = {"alignment.template": template}
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    for prefix, network in networks.items():
        deviation = compute_deviation(np.concatenate([network.predict_on_batch(batch) for batch in aligned]))
        print(f"{prefix or 'first_'}network: {deviation:.2f}, brought to {DEVIATION}")
        for variable in network.weights:
            layer, _, part = variable.path.partition("/")
            if layer == "pixels":
                continue
            values = keras.ops.convert_to_numpy(variable.value)
            if part == "kernel":
                values = values.transpose(3, 2, 0, 1)
            # What follows the last norm, a ReLU and a mean, keeps a factor.
            gain = DEVIATION / deviation if layer == "bn5" and part in ("gamma", "beta") else 1.0
            state[f"{prefix}{layer}.{names.get(part, 'weight')}"] = values * np.float32(gain)
    with new_folder(args.out) as folder:
        file = folder / "weights.safetensors"
        write_safetensors(file, state)
        source = "benchmarks/synthetic_weights.py: learnt from synthetic hands alone"
        write_manifest(folder, Manifest("hand", file.name, file.stat().st_size, hash_file(file), source, "Apache-2.0"))
    build_backbone("hand", image_size_px=128, weights=str(args.out))
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
