"""How accuracy grows with the number of training people, and how many an aim would need if it went on like that.

In every fold the head is found again from fewer of the training people; the test people stay the same. Features come from the
cache: run `handnet cv CONFIG` on the same photos first.

    python benchmarks/learning_curve.py configs/hand_best.toml data/hands11k-mini
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handnet.cli._console import show_progress
from handnet.config.toml import read_tree
from handnet.data.dataset import require_both_views
from handnet.data.example import Example
from handnet.data.readers import read_dataset
from handnet.data.splits.by_person import split_k_fold
from handnet.embedding.encode import embed_features
from handnet.embedding.features import compute_features
from handnet.images.finder_choice import settle_hand_finder
from handnet.images.photo_store import prepare_photos
from handnet.networks.backbones.taps import list_sources
from handnet.networks.complete_config import complete_config
from handnet.networks.device import set_precision
from handnet.networks.encoder import build_encoder
from handnet.networks.heads import select_head

NUM_FOLDS = 4
SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)
COLUMNS = ("R@1", "mean rank", "photo R@1", "one photo R@1", "EER", "TAR at 1 %")
# What each of them can be at its least and its most.
LOWEST, HIGHEST = (0, 1, 0, 0, 0, 0), (100, np.inf, 100, 100, 100, 100)
# Of the gallery of one photo a person.
DRAWS = 10
Floats = npt.NDArray[np.floating]


def main() -> None:
    """Print the table, and a straight line through its last three rows against the logarithm of the people."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[42, 43], help="random seeds for dealing people into folds"
    )
    options = parser.parse_args()
    config = complete_config(read_tree(options.config))
    set_precision("float32")
    examples, _ = require_both_views(read_dataset("hands11k", options.data).examples, "The learning curve")
    config = settle_hand_finder(config, [example.path for example in examples], print)
    encoder, head = build_encoder(config), select_head(config.model)
    if head.fit is None:
        parser.error("the head must be found in closed form (lda, joined-lda)")
    photos = prepare_photos([example.path for example in examples], config.image, show_progress)
    features = compute_features(encoder.backbone, photos, config.image, config.model, progress=show_progress)
    names = np.array([example.identity for example in examples])
    views = np.array([example.view for example in examples])
    sources = list_sources(encoder.backbone)
    rows = []
    for share in SHARES:
        people, found = [], []
        for seed in options.seeds:
            folds = []
            for number in range(NUM_FOLDS):
                split = split_k_fold(
                    list(dict.fromkeys(names)), {"folds": NUM_FOLDS, "fold": number, "seed": seed, "val": 0.0}
                )
                chosen = choose_people(split.train, share, seed)
                trained, tested = np.isin(names, chosen), np.isin(names, split.test)
                weights = head.fit(
                    config.model, features[trained], sources, names[trained].tolist(), views[trained].tolist()
                )
                encoder.head.set_weights(weights)
                people.append(len(chosen))
                some = [example for example, is_tested in zip(examples, tested, strict=True) if is_tested]
                folds.append((embed_features(encoder.head, features[tested]), some))
            found.append(measure(folds))
        rows.append((float(np.mean(people)), np.mean(found, axis=0)))
        print_row(rows[-1])
    print_forecast(rows)


def choose_people(people: tuple[str, ...], share: float, seed: int) -> list[str]:
    """Return a share of the people at random; a larger share contains the smaller ones."""
    order = np.random.default_rng(seed).permutation(sorted(people))
    return order[: round(share * len(people))].tolist()


def measure(folds: list[tuple[Floats, list[Example]]]) -> list[float]:
    """Return the figures of COLUMNS, dorsal → palmar, over all folds: ranks within a fold, scores pooled."""
    ranks, near, single, same_scores, other_scores = [], [], [], [], []
    for vectors, examples in folds:
        names = np.array([example.identity for example in examples])
        is_back = np.array([example.view == "dorsal" for example in examples])
        backs, palms, back_names, palm_names = vectors[is_back], vectors[~is_back], names[is_back], names[~is_back]
        people = np.unique(names)
        scores = backs @ palms.T
        templates = [
            normalise(np.stack([v[n == p].mean(axis=0) for p in people]))
            for v, n in ((backs, back_names), (palms, palm_names))
        ]
        table = templates[0] @ templates[1].T
        ranks.append(1 + (table > np.diag(table)[:, None]).sum(axis=1))
        near.append(palm_names[scores.argmax(axis=1)] == back_names)
        random = np.random.default_rng(0)
        for _ in range(DRAWS):
            gallery = np.array([random.choice(np.flatnonzero(palm_names == p)) for p in people])
            single.append(people[scores[:, gallery].argmax(axis=1)] == back_names)
        is_same = back_names[:, None] == palm_names
        same_scores.append(scores[is_same])
        other_scores.append(scores[~is_same])
    rank, same, other = np.concatenate(ranks), np.concatenate(same_scores), np.concatenate(other_scores)
    accepted = float(np.mean(same > np.quantile(other, 0.99)))
    hits = (
        100 * np.mean(rank == 1),
        np.mean(rank),
        100 * np.mean(np.concatenate(near)),
        100 * np.mean(np.concatenate(single)),
    )
    return [*map(float, hits), 100 * find_equal_error(same, other), 100 * accepted]


def normalise(rows: Floats) -> Floats:
    """Return rows at length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def find_equal_error(same: Floats, other: Floats) -> float:
    """Return the error where as many pairs of one person are refused as pairs of two are accepted."""
    thresholds = np.sort(np.concatenate([same, other]))
    refused = np.searchsorted(np.sort(same), thresholds) / len(same)
    accepted = 1 - np.searchsorted(np.sort(other), thresholds) / len(other)
    nearest = np.argmin(np.abs(refused - accepted))
    return float(refused[nearest] + accepted[nearest]) / 2


def print_row(row: tuple[float, Floats]) -> None:
    """Print a row of the table, its header before the first."""
    people, figures = row
    print(
        f"{people:5.0f} people  "
        + "  ".join(f"{name} {figure:.2f}" for name, figure in zip(COLUMNS, figures, strict=True))
    )


def print_forecast(rows: list[tuple[float, Floats]]) -> None:
    """Print the figures for 2 and 4 times as many people, if they went on along a straight line in their logarithm."""
    last = rows[-3:]
    logs = np.log2([people for people, _ in last])
    for factor in (2, 4):
        figures = [
            np.polyval(np.polyfit(logs, [row[column] for _, row in last], 1), logs[-1] + np.log2(factor))
            for column in range(len(COLUMNS))
        ]
        print_row((last[-1][0] * factor, np.clip(figures, LOWEST, HIGHEST)))


if __name__ == "__main__":
    main()
