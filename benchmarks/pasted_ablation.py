"""What the fall from white paper to pasted hands is made of: ground, angle, size and light apart, and an ideal front end.

Command: python benchmarks/pasted_ablation.py --data DIR --work FOLDER [--seed 1] [--folds 4] [--deals 42,43,44] [--only ROWS]

DIR has the layout of 11k Hands, hands on plain paper. Its hands are pasted as `benchmarks/pasted_hands.py` pastes them, but with
one change after the other, and are cropped by landmarks as `image.hand_finder = "landmarks"` does, or by what an ideal front
end would know: the mask, the landmarks that were found on paper, or the place of the crop itself. Each row describes the crops
by the backbone `hand`, finds the head on each fold's training people and tests the others, as `handnet cv configs/hand.toml`
does: person templates, dorsal → palmar. A person's figure is the mean over the deals of people to folds; intervals are
percentile bootstraps over people. People are trained and tested on the same kind of photos unless the row says otherwise. Hands
that were not found are left out. "white paper, longer side N px": photos on paper shrunk until hands have that size, the place of
the crop known.

FOLDER keeps crops and features, so that rows are not computed twice.
"""

import argparse
import io
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from pasted_hands import Changes, Pasted, make_pasted

if TYPE_CHECKING:
    from handnet.data.example import Example

Floats = npt.NDArray[np.float32]
SIZE_PX = 128
PAPER, GROUND = "white paper", "a  other ground"
KINDS = {
    GROUND: Changes(turn=False, size=False, light=False),
    "b  + any angle": Changes(size=False, light=False),
    "c  + 15 to 90 % of the frame": Changes(light=False),
    "d  + other light, noise: all": Changes(),
}
ALL, UNLIT = list(KINDS)[3], list(KINDS)[2]
MASK, POSE, PLACE = "all, mask known", "all, landmarks of the paper known", "all, place of the crop and mask known"
UNDONE = "the same, light undone"
SIZES = {f"white paper, longer side {px} px": px for px in (54, 80, 120)}
ROWS = (PAPER, *KINDS, MASK, POSE, PLACE, UNDONE, *SIZES)


class Crops(NamedTuple):
    """Crops of one row: uint8 (N, S, S, 3), and which hands were found, (N,) bool."""

    pictures: npt.NDArray[np.uint8]
    found: npt.NDArray[np.bool_]


def cut_photos(examples: "list[Example]", seed: int, rows: set[str]) -> Iterator[dict[str, tuple[Any, bool]]]:
    """Yield for each photo the crop of each row, (S, S, 3), and whether the hand was found."""
    import tensorflow as tf

    from handnet.images.hand.capsules import enclose_landmarks
    from handnet.images.hand.crop import cover_hand, lay_grid
    from handnet.images.hand.front_end import find_hands
    from handnet.images.hand.landmark_crop import crop_by_landmarks, sample_placed
    from handnet.images.hand.landmark_mask import SIZE_PX as MASK_PX
    from handnet.images.hand.landmark_mask import PlacedMask
    from handnet.images.hand.mask import resize_for_work, segment_hand, segment_small
    from handnet.images.hand.pose import find_pose
    from handnet.images.hand.regions import cut_regions, sample_photo
    from handnet.images.hand.side_and_view import find_thumb_side
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()
    photo_spec, points_spec = tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((21, 2), tf.float32)
    paint = lambda crop, kept: crop * kept + 255.0 * (1.0 - kept)  # noqa: E731
    compiled = lambda *specs: lambda function: tf.function(function, input_signature=specs, autograph=False)  # noqa: E731
    find_sign = lambda landmarks: tf.where(find_thumb_side(landmarks[tf.newaxis])[0], -1.0, 1.0)  # noqa: E731

    @compiled(photo_spec)
    def find(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        hands = find_hands(photo, models)
        return hands.found[0], hands.landmarks[0]

    @compiled(photo_spec, points_spec)
    def cut(photo: tf.Tensor, landmarks: tf.Tensor) -> tf.Tensor:
        return crop_by_landmarks(photo, landmarks, SIZE_PX)

    @compiled(photo_spec, points_spec, photo_spec)
    def cut_by_mask(photo: tf.Tensor, landmarks: tf.Tensor, cover: tf.Tensor) -> tf.Tensor:
        region = enclose_landmarks(landmarks[tf.newaxis])
        mask = tf.cast(cut_regions(cover, region, MASK_PX)[..., :1] > 0.5, tf.float32)
        return paint(*sample_placed(photo, PlacedMask(mask, region), SIZE_PX, find_sign(landmarks)))

    @compiled(photo_spec, points_spec)
    def lay_on_paper(photo: tf.Tensor, landmarks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        mask = segment_small(resize_for_work(tf.cast(photo, tf.float32)[tf.newaxis]))
        pose = find_pose(mask, enclose_landmarks(landmarks[tf.newaxis]).direction)
        step, y, x = lay_grid(pose, SIZE_PX, pose.direction[0], find_sign(landmarks))
        ratio = tf.cast(tf.shape(photo)[:2], tf.float32) / tf.cast(tf.shape(mask)[1:3], tf.float32)
        points = (tf.stack([y, x], -1) + 0.5) * ratio - 0.5
        whole = segment_hand(tf.cast(photo, tf.float32)[tf.newaxis])[0, ..., 0]
        return points, step * tf.reduce_max(ratio), cover_hand(mask, pose, step, y, x), whole

    @compiled(photo_spec, tf.TensorSpec((SIZE_PX, SIZE_PX, 2), tf.float32), tf.TensorSpec((), tf.float32))
    def cut_at(photo: tf.Tensor, points: tf.Tensor, step_px: tf.Tensor) -> tf.Tensor:
        return 255.0 * sample_photo(photo, points, step_px)

    for number, example in enumerate(examples):
        contents = Path(example.path).read_bytes()
        photo = tf.io.decode_jpeg(contents, channels=3)
        found, landmarks = find(photo)
        points, step_px, kept, mask = lay_on_paper(photo, landmarks)
        crops = {PAPER: (cut(photo, landmarks), bool(found))}
        wanted = rows | ({ALL} if rows & {MASK, POSE, PLACE} else set()) | ({UNLIT} if UNDONE in rows else set())
        kinds = {name: changes for name, changes in KINDS.items() if name in wanted}
        original = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"), np.float64)
        pasted = make_pasted(original, mask.numpy(), number, seed, list(kinds.values()))
        for name, one in zip(kinds, pasted, strict=True):
            picture = _save_jpeg(one)
            ideal = paint(cut_at(picture, _move(points, one), np.float32(step_px * _scale(one))), kept), True
            if name == UNLIT:
                crops[UNDONE] = ideal
            found, landmarks_there = find(picture)
            crops[name] = cut(picture, landmarks_there), bool(found)
            if name == ALL:
                cover = np.repeat(np.uint8(255 * (one.cover > 0.5))[..., np.newaxis], 3, -1)
                crops[MASK] = cut_by_mask(picture, landmarks_there, cover), bool(found)
                crops[POSE] = cut(picture, _move(landmarks, one)), True
                crops[PLACE] = ideal
        longer = max(np.ptp(np.nonzero(mask.numpy() > 0.5), axis=1))
        for name in rows & set(SIZES):
            scale = SIZES[name] / longer
            shape = np.round(np.array(original.shape[:2]) * scale).astype(int)
            small = tf.cast(tf.round(tf.image.resize(photo, shape, antialias=True)), tf.uint8)
            crops[name] = paint(cut_at(small, (points + 0.5) * scale - 0.5, np.float32(step_px * scale)), kept), True
        yield crops


def _move(places: Any, pasted: Pasted) -> Floats:
    """Return where places (…, 2) of the photo lie in the pasted one."""
    return ((np.asarray(places, np.float64) - pasted.offset) @ np.linalg.inv(pasted.matrix).T).astype(np.float32)


def _scale(pasted: Pasted) -> float:
    """Return how many times as large the hand is in the pasted photo."""
    return float(1.0 / np.sqrt(abs(np.linalg.det(pasted.matrix))))


def _save_jpeg(pasted: Pasted) -> Any:
    """Return the photo as the file of the test set has it."""
    import tensorflow as tf

    buffer = io.BytesIO()
    Image.fromarray(pasted.photo).save(buffer, "JPEG", quality=92)
    return tf.io.decode_jpeg(buffer.getvalue(), channels=3)


def read_crops(examples: "list[Example]", seed: int, rows: set[str], folder: Path) -> dict[str, Crops]:
    """Return the crops of rows, those kept in the folder where they are there."""
    name_file = lambda row: folder / f"{seed} {row}.npz"  # noqa: E731
    missing = {row for row in rows if not name_file(row).exists()}
    if missing:
        pictures: dict[str, list[Any]] = {}
        found: dict[str, list[bool]] = {}
        for number, crops in enumerate(cut_photos(examples, seed, missing)):
            for row, (crop, is_found) in crops.items():
                pictures.setdefault(row, []).append(np.clip(np.round(crop), 0, 255).astype(np.uint8))
                found.setdefault(row, []).append(is_found)
            if number % 100 == 0:
                print(f"{number} of {len(examples)} photos cut", file=sys.stderr, flush=True)
        for row in missing:
            np.savez(name_file(row), pictures=np.stack(pictures[row]), found=np.array(found[row]))
    kept = {}
    for row in rows:
        with np.load(name_file(row)) as arrays:
            kept[row] = Crops(arrays["pictures"], arrays["found"])
    return kept


def describe(crops: dict[str, Crops], seed: int, folder: Path) -> Callable[[str], Floats]:
    """Return what gives the features of a row, (N, F)."""
    from handnet.networks.backbones.build import build_backbone

    backbone = build_backbone("hand", image_size_px=SIZE_PX, weights="handnet-synthetic")

    def describe_row(row: str) -> Floats:
        file = folder / f"{seed} {row}.npy"
        if not file.exists():
            np.save(file, backbone.predict(crops[row].pictures, batch_size=32, verbose=0))
        return np.load(file)

    return describe_row


def measure_people(
    examples: "list[Example]",
    training: list[tuple[Floats, npt.NDArray[np.bool_]]],
    tested: tuple[Floats, npt.NDArray[np.bool_]],
    folds: int,
    seeds: list[int],
) -> dict[str, tuple[float, float]]:
    """Return for each person the share of deals in which their palm came first, and its mean rank: dorsal → palmar.

    Args:
        examples: N photos.
        training: features (N, F) and which photos were found, of each kind that people are trained on.
        tested: the same of the kind that people are tested on.
        folds: how many.
        seeds: of the deals of people to folds.
    """
    from handnet.data.dataset import require_both_views
    from handnet.data.splits.rules import SPLITS
    from handnet.metrics.lda import fit_discriminant
    from handnet.metrics.ranking import compute_person_ranks
    from handnet.networks.complete_config import complete_config

    model = complete_config({"model": {"arch": "hand"}}).model
    names, views = (np.array([getattr(example, field) for example in examples]) for field in ("identity", "view"))
    both = lambda some: list(dict.fromkeys(e.identity for e in require_both_views(some, "The benchmark")[0]))  # noqa: E731
    # Dealt alike for every row, whatever is found in it.
    people = both(examples)
    known = both([example for example, ok in zip(examples, tested[1], strict=True) if ok])
    ranks: dict[str, list[float]] = {}
    for seed, fold in itertools.product(seeds, range(folds)):
        test = SPLITS["k-fold"](people, {"folds": folds, "fold": fold, "seed": seed, "val": 0.0}).test
        is_test = np.isin(names, test)
        rows = [np.flatnonzero(~is_test & np.isin(names, people) & ok) for _, ok in training]
        kernel, bias = fit_discriminant(
            np.concatenate([features[index] for (features, _), index in zip(training, rows, strict=True)]),
            np.concatenate([names[index] for index in rows]).tolist(),
            np.concatenate([views[index] for index in rows]).tolist(),
            model.embedding_size,
            model.lda_penalty,
        )
        index = np.flatnonzero(is_test & np.isin(names, known) & tested[1])
        vectors = tested[0][index] @ kernel + bias
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = compute_person_ranks(vectors, names[index], views[index])
        for person, rank in zip(np.unique(names[index]), found, strict=True):
            ranks.setdefault(person, []).append(float(rank))
    return {person: (float(np.mean(np.array(each) <= 1)), float(np.mean(each))) for person, each in ranks.items()}


def write_cell(values: npt.NDArray[np.float64], scale: float, digits: int) -> str:
    """Return the mean over people with a 95 % percentile bootstrap interval over people, 10,000 draws, seed 0."""
    random = np.random.default_rng(0)
    means = values[random.integers(0, len(values), (10_000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{scale * values.mean():.{digits}f} [{scale * low:.{digits}f}, {scale * high:.{digits}f}]"


def main() -> None:
    """Make what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--deals", default="42,43,44", help="Seeds of the deals of people to folds.")
    parser.add_argument("--only", default="", help="Beginnings of names of rows, separated by commas.")
    arguments = parser.parse_args()
    from handnet.data.readers.hands11k import read_hands11k
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    wanted = tuple(name for name in arguments.only.split(",") if name)
    rows = [row for row in ROWS if not wanted or row.startswith(wanted)]
    # In the order of the files, which decides each photo's number.
    examples = sorted(read_hands11k(arguments.data).examples, key=lambda example: Path(example.path).name)
    arguments.work.mkdir(parents=True, exist_ok=True)
    crops = read_crops(examples, arguments.seed, set(rows), arguments.work)
    describe_row = describe(crops, arguments.seed, arguments.work)
    seeds = [int(seed) for seed in arguments.deals.split(",")]
    print("| photos | found | people | R@1, % | mean rank | R@1 less that on paper | mean rank less that |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    paper: dict[str, tuple[float, float]] = {}

    def show(name: str, trained: list[str], tested: str) -> None:
        kinds = [(describe_row(row), crops[row].found) for row in trained]
        figures = measure_people(examples, kinds, (describe_row(tested), crops[tested].found), arguments.folds, seeds)
        if name == PAPER:
            paper.update(figures)
        values = np.array(list(figures.values()))
        cells = [write_cell(values[:, 0], 100, 1), write_cell(values[:, 1], 1, 2), "", ""]
        if paper and name != PAPER:
            shared = [person for person in figures if person in paper]
            change = np.array([np.subtract(figures[person], paper[person]) for person in shared])
            cells[2:] = [write_cell(change[:, 0], 100, 1), write_cell(change[:, 1], 1, 2)]
        print(f"| {name} | {crops[tested].found.sum()} | {len(values)} | {' | '.join(cells)} |", flush=True)

    for row in rows:
        show(row, [row], row)
    if PAPER in rows and ALL in rows:
        show("all; trained on white paper", [PAPER], ALL)
        show("all; trained on both", [PAPER, ALL], ALL)
        show("white paper; trained on both", [PAPER, ALL], PAPER)


if __name__ == "__main__":
    main()
