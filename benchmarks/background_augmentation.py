"""What `augment.background_probability` is worth: a network of whole photos, trained with and without, tested on other grounds.

Command: python benchmarks/background_augmentation.py --data DIR --work FOLDER [--probability 0.7] [--size 64] [--epochs 8]

DIR has the layout of 11k Hands, hands on plain paper. A small network is trained from random weights on the whole photos of half
of the people, once as they are and once with their hands laid on drawn grounds with this probability, otherwise alike. It is
tested on the other half: photos as they are; the same hands pasted on grounds (wood, cloth, noise, clutter, gradients) that are
drawn from other random numbers, not turned, of the same size and in the same light; and those turned by any angle, of 15 to 90 %
of the frame, in other light (as benchmarks/pasted_hands.py). Printed: person templates, dorsal → palmar, R@1 and mean rank, mean
over the seeds of the training, with 95 % intervals (bootstrap over people), and the difference that the augmentation makes.

A crop to the hand shows no ground, so that the augmentation is worth nothing there: whole photos are what it is for.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from pasted_ablation import write_cell
from pasted_hands import Changes, make_pasted

PAPER = "white paper"
KINDS = {
    "other ground": Changes(turn=False, size=False, light=False),
    "other ground, angle, size, light": Changes(),
}
# Not that of the grounds which training draws.
PASTED_SEED = 1


def write_kinds(paths: list[str], folder: Path) -> dict[str, list[str]]:
    """Return the files of the photos, as they are and pasted; what is missing is written."""
    import tensorflow as tf

    from handnet.images.hand.mask import segment_hand

    segment = tf.function(segment_hand, input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)])
    found = {PAPER: paths} | {name: [str(folder / name / Path(path).name) for path in paths] for name in KINDS}
    for number, path in enumerate(paths):
        files = [Path(found[name][number]) for name in KINDS]
        if all(file.exists() for file in files):
            continue
        photo = np.asarray(Image.open(path).convert("RGB"), np.float64)
        mask = segment(tf.constant(photo[np.newaxis], tf.float32))[0, ..., 0].numpy()
        for file, pasted in zip(
            files, make_pasted(photo, mask, number, PASTED_SEED, list(KINDS.values())), strict=True
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pasted.photo).save(file, quality=92)
    return found


def measure_run(folder: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Yield for each kind of photos the ranks of the palms of the test people, (P,)."""
    from handnet.config.run_folder import read_run, read_run_split
    from handnet.data.dataset import require_both_views
    from handnet.data.leaks import select_photos
    from handnet.data.readers.hands11k import read_hands11k
    from handnet.embedding.encode import compute_vectors
    from handnet.metrics.ranking import compute_person_ranks
    from handnet.networks.encoder import load_encoder

    run = read_run(folder)
    encoder = load_encoder(run)
    chosen = select_photos(read_hands11k(arguments.data), read_run_split(run), "test")
    examples = require_both_views(chosen, "The benchmark")[0]
    names, views = (np.array([getattr(example, field) for example in examples]) for field in ("identity", "view"))
    for name, paths in write_kinds([example.path for example in examples], arguments.work).items():
        vectors = compute_vectors(run.config, encoder, paths).embeddings
        yield name, np.asarray(compute_person_ranks(vectors, names, views), np.float64)


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--probability", type=float, default=0.7)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", default="0,1", help="Seeds of the training.")
    arguments = parser.parse_args()
    import handnet

    halves = {"split": "fractions", "split_options": {"train": 0.5, "val": 0.0, "test": 0.5}}
    ranks: dict[tuple[bool, str], list[npt.NDArray[np.float64]]] = {}
    for seed in (int(text) for text in arguments.seeds.split(",")):
        for probability in (0.0, arguments.probability):
            folder = arguments.work / f"run {arguments.size} {arguments.epochs} {probability:g} {seed}"
            if not folder.exists():
                begin = time.process_time()
                settings = {
                    "image": {"size_px": arguments.size, "crop": "none"},
                    "augment": {"background_probability": probability},
                    "train": {"epochs": arguments.epochs, "seed": seed},
                    "data": halves,
                }
                flat = {f"{section}.{key}": value for section, part in settings.items() for key, value in part.items()}
                recipe = Path(__file__).resolve().parents[1] / "configs" / "scratch_network.toml"
                handnet.train(recipe, data=arguments.data, run=folder, settings=flat, echo=lambda line: None)
                print(f"{folder.name}: {time.process_time() - begin:.0f} processor seconds", flush=True)
            for name, found in measure_run(folder, arguments):
                ranks.setdefault((probability > 0, name), []).append(found)
    print("| tested on | augmented | people | R@1, % | mean rank |")
    print("|---|---|---:|---:|---:|")
    for name in (PAPER, *KINDS):
        cells = {}
        for augmented in (False, True):
            found = np.stack(ranks[augmented, name])
            cells[augmented] = np.stack([(found <= 1).mean(0), found.mean(0)])
            row = [write_cell(cells[augmented][0], 100, 1), write_cell(cells[augmented][1], 1, 2)]
            print(f"| {name} | {'yes' if augmented else 'no'} | {found.shape[1]} | {' | '.join(row)} |")
        change = cells[True] - cells[False]
        print(f"| | difference | | {write_cell(change[0], 100, 1)} | {write_cell(change[1], 1, 2)} |", flush=True)


if __name__ == "__main__":
    main()
