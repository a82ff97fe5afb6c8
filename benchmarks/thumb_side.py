"""Fit the rule by which image.crop = "hand-canonical" tells on which side the thumb is, on synthetic hands alone.

Command: python benchmarks/thumb_side.py [--people 700] [--data DIR]

Prints `THUMB_SIDE` of handnet/images/hand/mask.py, and how often the rule that is there and the one just fitted are right: on
other synthetic people, and on the photos of DIR (11k Hands, say), none of which it was fitted to. The rule is a ridge
regression of the side (+1: thumb on the right) on the outline less its mirror image, 8 × 8 cells.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
RIDGE = 1.0
SEED = 7


def measure(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each photo's outline less its mirror image, left half (N, 32), and its thumb's side (N,), +1 right."""
    import tensorflow as tf

    from handnet.config.image import ImageConfig
    from handnet.data.readers.hands11k import read_hands11k
    from handnet.images.decode import read_photo
    from handnet.images.hand.crop import OUTLINE_CELLS, measure_outline
    from handnet.images.hand.mask import segment_hand
    from handnet.images.hand.pose import find_pose

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    def outline(contents: tf.Tensor) -> tf.Tensor:
        photo = tf.image.resize(
            read_photo(contents, ImageConfig(size_px=160)), (160, 160), preserve_aspect_ratio=True, antialias=True
        )
        mask = segment_hand(photo[tf.newaxis])
        return measure_outline(mask, find_pose(mask))

    examples = read_hands11k(folder).examples
    cells = np.stack([outline(tf.constant(Path(example.path).read_bytes())).numpy() for example in examples])
    half = OUTLINE_CELLS // 2
    differences = (cells[:, :, :half] - cells[:, :, ::-1][:, :, :half]).reshape(len(cells), -1).astype(np.float64)
    # The back of a right hand, fingers up, has its thumb on the left; its palm on the right.
    right = [(example.side == "right") == (example.view == "palmar") for example in examples]
    return differences, np.where(right, 1.0, -1.0)


def main() -> None:
    """Print the rule and its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=700)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    from handnet.data.synthetic import write_synthetic
    from handnet.images.hand.crop import THUMB_SIDE

    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(Path(folder) / "hands", arguments.people, 1, SEED)
        rows, sides = measure(Path(folder) / "hands")
    cut = len(rows) * 2 // 3
    rules = {"in use": np.asarray(THUMB_SIDE).ravel()}
    for name, part in (("fitted to two thirds", slice(0, cut)), ("fitted to all", slice(None))):
        gram = rows[part].T @ rows[part] + RIDGE * np.eye(rows.shape[1])
        rules[name] = np.linalg.solve(gram, rows[part].T @ sides[part])
    print("THUMB_SIDE = (")
    for row in rules["fitted to all"].reshape(len(THUMB_SIDE), -1):
        print(f"    ({', '.join(f'{value:.2f}' for value in row)}),")
    print(")")
    groups = {"other synthetic people": (rows[cut:], sides[cut:])}
    if arguments.data:
        groups[arguments.data.name] = measure(arguments.data)
    for group, (differences, truth) in groups.items():
        for name in ("in use", "fitted to two thirds"):
            right = np.mean(np.sign(differences @ rules[name]) == truth)
            print(f"{group} ({len(truth)} photos), rule {name}: {100 * right:.1f} % right")


if __name__ == "__main__":
    main()
