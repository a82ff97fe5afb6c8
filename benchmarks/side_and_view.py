"""Fit the rule that tells back from palm, and measure it and the thumb's side on people it was not fitted to.

Command: python benchmarks/side_and_view.py --data DIR [--more DIR2 …] [--folds 8] [--write]

DIR has the layout of 11k Hands (HandInfo.csv, Hands/). Every photo and its mirror image goes through the front end; the rule
is a ridge regression of the view (+1: palm) on the landmark network's features, one for each side of the thumb. It is
measured in folds by person, on photos that are not mirrored. DIR2 has photos of the same people in other surroundings, as
benchmarks/pasted_hands.py makes them: they are fitted too and measured apart, in the same folds. --write fits it to all
people and replaces handnet/images/hand/side_and_view.npz.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# In units of the number of features, which are standardised.
RIDGE = 1.0
SEEDS = (0, 1, 2)
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def measure(paths: list[str]) -> tuple[Floats, Flags, Flags]:
    """Return features (N, 2, 1152) of photos and their mirror images, the thumb's side (N, 2), and what was found (N, 2)."""
    import tensorflow as tf

    from handnet.images.hand.front_end import Hands, find_hands
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def find(photo: tf.Tensor) -> Hands:
        return find_hands(photo, models)

    found = []
    for path in paths:
        photo = tf.io.decode_jpeg(Path(path).read_bytes(), channels=3, dct_method="INTEGER_ACCURATE")
        found.append([find(photo), find(photo[:, ::-1])])
    features, thumb_right, ok = (
        np.array([[np.asarray(getattr(hands, name))[0] for hands in pair] for pair in found])
        for name in ("features", "thumb_right", "found")
    )
    return features.astype(np.float64), thumb_right, ok


def fit_rule(features: Floats, targets: Floats) -> tuple[Floats, float]:
    """Return weights and bias of a ridge regression on standardised features, for the features as they come."""
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    scaled = (features - mean) / deviation
    gram = scaled @ scaled.T + RIDGE * scaled.shape[1] * np.eye(len(scaled))
    weights = scaled.T @ np.linalg.solve(gram, targets - targets.mean()) / deviation
    return weights, float(targets.mean() - mean @ weights)


def fit_scale(scores: Floats, palm: Flags) -> float:
    """Return what to multiply scores by to make them logits: maximum likelihood on Platt's smoothed targets."""
    smoothed = np.where(palm, (palm.sum() + 1) / (palm.sum() + 2), 1 / ((~palm).sum() + 2))
    scales = np.geomspace(0.5, 50, 400)
    logits = scales[:, np.newaxis] * scores
    losses = (np.logaddexp(0, logits) - smoothed * logits).mean(1)
    return float(scales[np.argmin(losses)])


def read_photos(folder: Path) -> dict[str, Any]:
    """Return what is measured and what is known of the photos of a folder, as arrays by name."""
    from handnet.data.readers.hands11k import read_hands11k

    examples = read_hands11k(folder).examples
    features, thumb_right, found = measure([example.path for example in examples])
    return {
        "folder": np.array([folder.name] * len(examples)),
        "name": np.array([Path(example.path).name for example in examples]),
        "person": np.array([example.identity for example in examples]),
        "palm": np.array([example.view == "palmar" for example in examples]),
        "right": np.array([example.side == "right" for example in examples]),
        "features": features,
        "thumb_right": thumb_right,
        "found": found,
    }


def fit_both(photos: dict[str, Any], rows: Flags) -> tuple[Floats, Floats]:
    """Fit a rule for each thumb side to the photos in rows and their mirror images: weights (2, 1152), bias (2,)."""
    targets = np.repeat(np.where(photos["palm"], 1.0, -1.0)[:, np.newaxis], 2, 1)
    pairs = []
    for side in (False, True):
        use = photos["found"] & (photos["thumb_right"] == side) & rows[:, np.newaxis]
        pairs.append(fit_rule(photos["features"][use], targets[use]))
    return np.stack([weights for weights, _ in pairs]), np.array([bias for _, bias in pairs])


def score_in_folds(photos: dict[str, Any], num_folds: int, seed: int) -> Floats:
    """Return the score of each photo that is not mirrored, by a rule fitted to other people."""
    names = np.unique(photos["person"])
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % num_folds, strict=True))
    folds = np.array([fold_of[person] for person in photos["person"]])
    side, scores = photos["thumb_right"][:, 0].astype(int), np.zeros(len(folds))
    for fold in range(num_folds):
        weights, bias = fit_both(photos, folds != fold)
        test = folds == fold
        scores[test] = np.sum(photos["features"][test, 0] * weights[side[test]], -1) + bias[side[test]]
    return scores


def main() -> None:
    """Print the figures and, if asked, write the rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--more", type=Path, nargs="*", default=[])
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    from handnet.images.hand.side_and_view import WEIGHTS_FILE

    parts = [read_photos(folder) for folder in (arguments.data, *arguments.more)]
    photos = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    found, thumb_right = photos["found"][:, 0], photos["thumb_right"][:, 0]
    every_score = np.stack([score_in_folds(photos, arguments.folds, seed) for seed in SEEDS])
    for folder in dict.fromkeys(photos["folder"]):
        ok = found & (photos["folder"] == folder)
        wrong_thumb = ok & (thumb_right != (photos["right"] == photos["palm"]))
        people = len(set(photos["person"][photos["folder"] == folder]))
        print(
            f"{folder}: {(photos['folder'] == folder).sum()} photos of {people} people; hand found in {ok.sum()}; thumb's"
        )
        print(f"  side wrong in {wrong_thumb.sum()}: {photos['name'][wrong_thumb].tolist()[:5]}")
        for seed, scores in zip(SEEDS, every_score, strict=True):
            view = scores > 0
            tells_right = np.where(thumb_right, view, ~view)
            wrong = ok & (view != photos["palm"])
            view_share, side_share = np.mean(~wrong[ok]), np.mean((tells_right == photos["right"])[ok])
            print(
                f"  seed {seed}: view right in {view_share:.2%}, side right in {side_share:.2%}; view wrong in {wrong.sum()}"
            )
    scale = fit_scale(every_score[:, found].ravel(), np.tile(photos["palm"][found], len(SEEDS)))
    print(f"scale of the logit, from these folds: {scale:.2f}")
    if arguments.write:
        weights, bias = fit_both(photos, np.ones(len(found), bool))
        np.savez(WEIGHTS_FILE, weights=(scale * weights).astype(np.float16), bias=(scale * bias).astype(np.float32))
        print(f"wrote {WEIGHTS_FILE}")


if __name__ == "__main__":
    main()
