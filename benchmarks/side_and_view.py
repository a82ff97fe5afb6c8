"""Fit the rule that tells back from palm, and measure it and the thumb's side on people it was not fitted to.

Command: python benchmarks/side_and_view.py --data DIR [--folds 8] [--write]

DIR has the layout of 11k Hands (HandInfo.csv, Hands/). Every photo and its mirror image goes through the front end; the rule
is a ridge regression of the view (+1: palm) on the landmark network's features, one for each side of the thumb. It is
measured in folds by person, on photos that are not mirrored. --write fits it to all people and replaces
handnet/images/hand/side_and_view.npz.
"""

import argparse
import sys
from pathlib import Path

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


def main() -> None:
    """Print the figures and, if asked, write the rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    from handnet.data.readers.hands11k import read_hands11k
    from handnet.images.hand.side_and_view import WEIGHTS_FILE

    examples = read_hands11k(arguments.data).examples
    features, thumb_right, ok = measure([example.path for example in examples])
    palm = np.array([example.view == "palmar" for example in examples])
    right = np.array([example.side == "right" for example in examples])
    people = np.array([example.identity for example in examples])
    print(f"{len(examples)} photos of {len(set(people))} people; hand found in {ok[:, 0].sum()}")
    wrong_thumb = ok[:, 0] & (thumb_right[:, 0] != (right == palm))
    print(f"thumb's side wrong: {[Path(examples[k].path).name for k in np.flatnonzero(wrong_thumb)]}")
    targets = np.where(palm, 1.0, -1.0)

    def fit_both(rows: Flags) -> tuple[Floats, Floats]:
        """Fit a rule for each thumb side to the photos in rows and their mirror images."""
        pairs = []
        for side in (False, True):
            use = ok & (thumb_right == side) & rows[:, np.newaxis]
            pairs.append(fit_rule(features[use], np.repeat(targets[:, np.newaxis], 2, 1)[use]))
        return np.stack([weights for weights, _ in pairs]), np.array([bias for _, bias in pairs])

    scores = np.zeros((len(SEEDS), len(examples)))
    side = thumb_right[:, 0].astype(int)
    for row, seed in enumerate(SEEDS):
        names = np.unique(people)
        fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % arguments.folds, strict=True))
        folds = np.array([fold_of[person] for person in people])
        for fold in range(arguments.folds):
            weights, bias = fit_both(folds != fold)
            test = folds == fold
            scores[row, test] = np.sum(features[test, 0] * weights[side[test]], -1) + bias[side[test]]
        view = scores[row] > 0
        wrong = [Path(examples[k].path).name for k in np.flatnonzero(ok[:, 0] & (view != palm))]
        tells_right = np.where(thumb_right[:, 0], view, ~view)
        print(
            f"seed {seed}: view right in {np.mean((view == palm)[ok[:, 0]]):.2%}, side right in "
            f"{np.mean((tells_right == right)[ok[:, 0]]):.2%}; wrong view: {wrong}"
        )
    scale = fit_scale(scores[:, ok[:, 0]].ravel(), np.tile(palm[ok[:, 0]], len(SEEDS)))
    print(f"scale of the logit, from these folds: {scale:.2f}")
    if arguments.write:
        weights, bias = fit_both(np.ones(len(examples), bool))
        np.savez(WEIGHTS_FILE, weights=(scale * weights).astype(np.float16), bias=(scale * bias).astype(np.float32))
        print(f"wrote {WEIGHTS_FILE}")


if __name__ == "__main__":
    main()
