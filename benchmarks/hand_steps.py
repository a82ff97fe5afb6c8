"""What each part of the hand's backbone is worth on real hands: k-fold over people, hand only and with the whole photo.

Command: python benchmarks/hand_steps.py DIR [--folds 4] [--seeds 42,43]

DIR is 11k Hands or its public sample. The features of all photos are computed once; each row takes some of their columns
and finds the head again on each fold's training people, as `handnet cv configs/hand.toml` does. Tested are the people of the
left-out fold, person templates dorsal → palmar; a person's figure is the mean over the seeds of the folds, intervals are
percentile bootstraps over people, 10,000 draws.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
Floats = npt.NDArray[np.float32]
NETWORKS = ("first network", "second network")
PHOTO = "colours of the whole photo"
OUTLINE = ("outline",)
GRADIENTS = (*OUTLINE, "luminance, fine", "luminance, coarse", "texture")
COLOURS = ("colour layout", "skin colour", "colour statistics")
DESCRIPTOR = (*GRADIENTS, *COLOURS)
# name: (groups of features, hands aligned, views weigh the same)
STEPS: dict[str, tuple[Sequence[str], bool, bool]] = {
    "outline": (OUTLINE, False, True),
    "outline, aligned to the mean hand": (OUTLINE, True, True),
    "colours": (COLOURS, True, True),
    "gradients of outline and luminance": (GRADIENTS, True, True),
    "descriptor (gradients and colours), not aligned": (DESCRIPTOR, False, True),
    "descriptor": (DESCRIPTOR, True, True),
    "first network alone": (NETWORKS[:1], True, True),
    "both networks alone": (NETWORKS, True, True),
    "descriptor + first network": ((*DESCRIPTOR, NETWORKS[0]), True, True),
    "descriptor + both networks, not aligned": ((*DESCRIPTOR, *NETWORKS), False, True),
    "all: descriptor + both networks": ((*DESCRIPTOR, *NETWORKS), True, True),
    "all, every photo weighs the same": ((*DESCRIPTOR, *NETWORKS), True, False),
    **{
        f"all but {group}": (tuple(g for g in (*DESCRIPTOR, *NETWORKS) if g != group), True, True)
        for group in (*DESCRIPTOR, *NETWORKS)
    },
}


def describe(values: npt.NDArray[np.float64], scale: float = 1.0) -> str:
    """Return the mean over people with a 95 % percentile bootstrap interval over people; seed 0."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (10_000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{scale * values.mean():.1f} [{scale * low:.1f}, {scale * high:.1f}]"


def main() -> None:
    """Compute the features and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", default="42,43")
    arguments = parser.parse_args()
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import keras

    from handnet.data.dataset import require_both_views
    from handnet.data.readers import read_dataset
    from handnet.data.splits.rules import SPLITS
    from handnet.images.photo_store import load_cached, prepare_photos
    from handnet.metrics.lda import fit_discriminant
    from handnet.metrics.ranking import compute_person_ranks
    from handnet.networks.backbones.build import build_backbone
    from handnet.networks.backbones.hand.descriptor import CELLS, GROUPS
    from handnet.networks.complete_config import complete_config

    config = complete_config({"model": {"arch": "hand-photo"}, "image": {"hand_finder": "colour"}})
    examples, _ = require_both_views(read_dataset("hands11k", arguments.data).examples, "The benchmark")
    names = np.array([example.identity for example in examples])
    views = np.array([example.view for example in examples])
    photos = load_cached(prepare_photos([e.path for e in examples], config.image).files, config.image.size_px)
    widths = {g.name: g.width for g in GROUPS} | dict.fromkeys(NETWORKS, 1152) | {PHOTO: 3 * CELLS**2}
    ends = np.cumsum(list(widths.values()))
    columns = {name: np.arange(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}

    def compute(aligned: bool) -> Floats:
        backbone = build_backbone("hand-photo", image_size_px=config.image.size_px, weights="handnet-synthetic")
        if not aligned:
            for variable in backbone.get_layer("alignment").weights:
                variable.assign(keras.ops.zeros_like(variable))
        return np.asarray(backbone.predict(photos, batch_size=32, verbose=0))

    features = {aligned: compute(aligned) for aligned in (True, False)}
    assert features[True].shape[1] == ends[-1]

    def evaluate(groups: Sequence[str], aligned: bool, same_views: bool) -> npt.NDArray[np.float64]:
        """Return (people, 2): the share of seeds in which each person came first, and the mean rank."""
        x = features[aligned][:, np.concatenate([columns[group] for group in groups])]
        found: dict[str, list[float]] = {}
        for seed in map(int, arguments.seeds.split(",")):
            for fold in range(arguments.folds):
                split = SPLITS["k-fold"](
                    list(dict.fromkeys(names)), {"folds": arguments.folds, "fold": fold, "seed": seed, "val": 0.0}
                )
                train, test = np.isin(names, split.train), np.isin(names, split.test)
                kernel, bias = fit_discriminant(
                    x[train],
                    names[train].tolist(),
                    views[train].tolist() if same_views else None,
                    config.model.embedding_size,
                    config.model.lda_penalty,
                )
                z = x[test] @ kernel + bias
                z /= np.linalg.norm(z, axis=1, keepdims=True)
                ranks = compute_person_ranks(z, names[test], views[test])
                for person, rank in zip(np.unique(names[test]), ranks, strict=True):
                    found.setdefault(person, []).append(float(rank))
        return np.array([[np.mean(np.array(r) <= 1), np.mean(r)] for _, r in sorted(found.items())])

    print("| features | hand only: R@1, % | mean rank | with the whole photo's colours: R@1, % | mean rank |")
    print("|---|---|---|---|---|")
    row: Callable[[npt.NDArray[np.float64]], list[str]] = lambda f: [describe(f[:, 0], 100), describe(f[:, 1])]  # noqa: E731
    print(f"| nothing of the hand | | | {' | '.join(row(evaluate([PHOTO], True, True)))} |", flush=True)
    for name, (groups, aligned, same_views) in STEPS.items():
        cells = row(evaluate(groups, aligned, same_views)) + row(evaluate([*groups, PHOTO], aligned, same_views))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
