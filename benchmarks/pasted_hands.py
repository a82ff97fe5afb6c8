"""Hands cut out of photos on plain paper and pasted on other grounds: is the hand found, its side and view, its mask?

Command: python benchmarks/pasted_hands.py --data DIR --out NEW_DIR [--seed 1] [--every 1] [--figures-only]

DIR has the layout of 11k Hands, hands on plain paper. NEW_DIR gets the same layout: one photo for each of DIR, its hand turned
by any angle, 15 to 90 % of the frame long, on wood, cloth, noise, clutter or a gradient, in other light; and Masks/*.png, the
known mask. So `handnet cv` runs on NEW_DIR too. Then the front end is measured on it. --every 3 takes
a third of the photos. --figures-only takes an existing NEW_DIR.
Grounds are drawn from random numbers alone, and no photo leaves NEW_DIR.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from handnet.data.synthetic.grounds import GROUNDS

FRAME_PX = (360, 480)
Floats = npt.NDArray[np.float64]


class Changes(NamedTuple):
    """What is changed besides the ground.

    Attributes:
        turn: any angle; else as in the photo.
        size: 15 to 90 % of the frame's shorter side; else as in the photo.
        light: that on the hand, that on the whole photo, and noise.
    """

    turn: bool = True
    size: bool = True
    light: bool = True


class Pasted(NamedTuple):
    """A hand on another ground.

    Attributes:
        photo: uint8 (H, W, 3).
        cover: (H, W), 0..1, the known mask.
        matrix, offset: the place p = (y, x) in `photo` shows `matrix @ p + offset` of the photo that the hand was cut out of.
    """

    photo: npt.NDArray[np.uint8]
    cover: Floats
    matrix: Floats
    offset: Floats


def change_light(photo: Floats, random: np.random.Generator) -> Floats:
    """Return a photo (H, W, 3), 0..255, in other light: warm or cold, dark or bright, from one side."""
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    turn = random.uniform(0, 2 * np.pi)
    side = np.cos(turn) * (x / photo.shape[1] - 0.5) + np.sin(turn) * (y / photo.shape[0] - 0.5)
    fall_off = 1 + random.uniform(0, 0.6) * side
    warmth = 1 + random.uniform(-0.15, 0.15) * np.array([1, 0, -1])
    linear = (np.clip(photo, 0, 255) / 255) ** 2.2
    linear = linear * 2 ** random.uniform(-1.2, 0.5) * warmth * fall_off[..., np.newaxis]
    return 255 * np.clip(linear, 0, 1) ** (1 / 2.2)


def paste(photo: Floats, mask: Floats, ground: Floats, random: np.random.Generator, changes: Changes) -> Pasted:
    """Paste a hand on a ground, turned by any angle and 15 to 90 % of the frame's shorter side long.

    Args:
        photo: (H, W, 3), 0..255.
        mask: (H, W), 0..1, the hand in it.
        ground: of the frame's size.
        random: decides where, how large and how turned. The same numbers are drawn whatever is changed.
        changes: what is changed.

    Returns:
        The pasted hand, its photo still float64, 0..255.
    """
    rows, columns = np.nonzero(mask > 0.5)
    middle = np.array([(rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2])
    length, longer = np.hypot(np.ptp(rows), np.ptp(columns)), max(np.ptp(rows), np.ptp(columns))
    scale = random.uniform(0.15, 0.9) * min(FRAME_PX) / longer
    if not changes.size:
        scale = 1.0
    turn = random.uniform(0, 2 * np.pi) * changes.turn
    room = np.maximum(np.array(FRAME_PX) / 2 - 0.45 * length * scale, 0)
    target = np.array(FRAME_PX) / 2 + random.uniform(-1, 1, 2) * room
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / scale
    offset = middle - matrix @ target
    # Shrinking by more than 2 would alias: blur first.
    blur = max(0.0, 0.4 / scale - 0.4)
    sharp = [ndimage.gaussian_filter(layer, blur) if blur else layer for layer in (*np.moveaxis(photo, -1, 0), mask)]
    layers = [ndimage.affine_transform(layer, matrix, offset, FRAME_PX, order=1) for layer in sharp]
    cover = np.clip(layers[3], 0, 1)
    hand = np.stack(layers[:3], -1)
    shadow = 1 - random.uniform(0, 0.45) * ndimage.gaussian_filter(
        ndimage.shift(cover, random.uniform(-8, 8, 2)), random.uniform(3, 10)
    )
    pasted = hand * cover[..., np.newaxis] + ground * (shadow * (1 - cover))[..., np.newaxis]
    return Pasted(pasted, cover, matrix, offset)


def make_pasted(photo: Floats, mask: Floats, number: int, seed: int, kinds: Sequence[Changes]) -> list[Pasted]:
    """Cut the hand out of photo `number` of a data set and paste it on one ground, once for each kind of changes.

    Args:
        photo: (H, W, 3), 0..255.
        mask: (H, W), 0 or 1, the hand in it.
        number: of the photo; it decides the kind of ground.
        seed: with the number, of all random choices.
        kinds: what is changed besides; what several change, they change alike.
    """
    random = np.random.default_rng([seed, number])
    # A pixel of paper around the hand would give it away.
    soft = ndimage.gaussian_filter(ndimage.binary_erosion(mask > 0.5, iterations=1).astype(np.float64), 0.6)
    lit = change_light(photo, random)
    ground = np.clip(GROUNDS[name_ground(number)](random, FRAME_PX), 0, 255)
    state, pasted = random.bit_generator.state, []
    for changes in kinds:
        random.bit_generator.state = state
        one = paste(lit if changes.light else photo, soft, ground, random, changes)
        final = one.photo
        if changes.light:
            final = change_light(final, random)
            final = final + random.normal(0, random.uniform(0, 4), final.shape)
        pasted.append(one._replace(photo=np.clip(np.round(final), 0, 255).astype(np.uint8)))
    return pasted


def name_ground(number: int) -> str:
    """Return the kind of ground of photo `number`."""
    return list(GROUNDS)[number % len(GROUNDS)]


def write_pasted(source: Path, target: Path, seed: int, every: int) -> None:
    """Write a pasted photo and its mask for each photo of a data set."""
    import tensorflow as tf

    from handnet.images.hand.mask import segment_hand

    segment = tf.function(segment_hand, input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)])
    (target / "Hands").mkdir(parents=True)
    (target / "Masks").mkdir()
    shutil.copy(source / "HandInfo.csv", target / "HandInfo.csv")
    with (target / "grounds.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["imageName", "ground"])
        for number, path in enumerate(sorted((source / "Hands").glob("*.jpg"))[::every]):
            photo = np.asarray(Image.open(path).convert("RGB"), np.float64)
            mask = segment(tf.constant(photo[np.newaxis], tf.float32))[0, ..., 0].numpy()
            (pasted,) = make_pasted(photo, mask, number, seed, [Changes()])
            Image.fromarray(pasted.photo).save(target / "Hands" / path.name, quality=92)
            cover = ((pasted.cover > 0.5) * 255).astype(np.uint8)
            Image.fromarray(cover).save(target / "Masks" / (path.stem + ".png"))
            rows.writerow([path.name, name_ground(number)])


def print_figures(folder: Path) -> None:
    """Print the front end's figures on pasted hands, all and for each ground."""
    import tensorflow as tf

    from handnet.data.readers.hands11k import read_hands11k
    from handnet.images.hand.front_end import Hands, find_hands
    from handnet.images.hand.landmark_mask import segment_by_landmarks
    from handnet.images.hand.mask import segment_hand
    from handnet.images.hand.regions import cut_regions, to_regions
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)] * 2, autograph=False)
    def find(photo: tf.Tensor, truth: tf.Tensor) -> tuple[Hands, tf.Tensor, tf.Tensor]:
        """Return the hand, its mask by colour, and the IoU of its mask by landmarks, above the wrist."""
        hands = find_hands(photo, models)
        placed = segment_by_landmarks(photo, hands.landmarks[0])
        size_px = placed.mask.shape[1]
        wrist = to_regions(hands.landmarks[:, :1], placed.region)[0, 0, 0] * size_px
        above = tf.range(size_px, dtype=tf.float32)[:, tf.newaxis] < wrist
        known = (cut_regions(truth, placed.region, size_px)[0, ..., 0] > 0.5) & above
        mask = (placed.mask[0, ..., 0] > 0.5) & above
        common, either = (tf.math.count_nonzero(both) for both in (known & mask, known | mask))
        return hands, segment_hand(photo[tf.newaxis])[0, ..., 0], common / tf.maximum(either, 1)

    with (folder / "grounds.csv").open(encoding="utf-8") as file:
        grounds = {row["imageName"]: row["ground"] for row in csv.DictReader(file)}
    rows = []
    for example in read_hands11k(folder).examples:
        path = Path(example.path)
        truth = np.asarray(Image.open(folder / "Masks" / (path.stem + ".png"))) > 127
        photo = tf.io.decode_jpeg(path.read_bytes(), channels=3)
        hands, by_color, iou = find(photo, np.repeat(truth[..., np.newaxis], 3, -1).astype(np.uint8) * 255)
        points = np.clip(np.round(hands.landmarks[0].numpy()).astype(int), 0, np.array(truth.shape) - 1)
        palm, right = example.view == "palmar", example.side == "right"
        # A hand found elsewhere is not found.
        found = bool(hands.found[0]) and truth[points[:, 0], points[:, 1]].mean() > 0.5
        color = by_color.numpy() > 0.5
        size = np.ptp(np.nonzero(truth.any(1))[0]), np.ptp(np.nonzero(truth.any(0))[0])
        rows.append(
            (
                grounds[path.name],
                found,
                bool(hands.thumb_right[0]) == (right == palm),
                (float(hands.palmar[0]) > 0.5) == palm,
                (float(hands.right[0]) > 0.5) == right,
                (color & truth).sum() / max((color | truth).sum(), 1),
                float(iou) if found else 0.0,
                max(size) / min(FRAME_PX),
            )
        )
    names, *columns = zip(*rows, strict=True)
    found, thumb, view, side, color_iou, landmark_iou, sizes = (np.array(column, np.float64) for column in columns)
    groups = {"all": np.ones(len(rows), bool)}
    groups |= {name: np.array([row == name for row in names]) for name in GROUNDS}
    groups |= {
        f"{low:.0%} to {low + 0.25:.0%} of frame": (sizes >= low) & (sizes < low + 0.25) for low in (0.15, 0.4, 0.65)
    }
    print("thumb, view and side: of those found; IoU: of all, by colour on the photo, by landmarks above the wrist")
    print(
        f"{'ground':22}{'photos':>7}{'found':>8}{'thumb':>8}{'view':>8}{'side':>8}{'by colour':>11}{'by landmarks':>14}"
    )
    for name, members in groups.items():
        ok = members & (found > 0)
        shares = "".join(f"{values[ok].mean():8.1%}" for values in (thumb, view, side))
        ious = f"{color_iou[members].mean():11.2f}{landmark_iou[members].mean():14.2f}"
        print(f"{name:22}{members.sum():7}{found[members].mean():8.1%}{shares}{ious}")


def main() -> None:
    """Write the photos and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--figures-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.figures_only:
        write_pasted(arguments.data, arguments.out, arguments.seed, arguments.every)
    print_figures(arguments.out)


if __name__ == "__main__":
    main()
