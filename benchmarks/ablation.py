"""What each choice of loss, mining, view and memory is worth on real hands: k-fold over people, several seeds, intervals.

Command: python benchmarks/ablation.py DIR [--folds 3] [--seeds 0,1,2] [--epochs 12] [--only "NAME;…"] [--out FOLDER]

DIR is 11k Hands or its public sample. Every choice trains the same small network from random weights for the same number
of photos on the same people; there are no validation people and the last weights are tested, so that nothing is chosen
by looking. Tested are the people of the left-out fold, person templates dorsal → palmar. A person's figure is the mean over
the seeds; intervals are percentile bootstraps over people, 10,000 draws; differences are paired by person. Finished
trainings are kept in FOLDER and not done again.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if TYPE_CHECKING:
    from handnet.data.dataset import DataSet

PASSES = 4
# Differences are to this one.
BASE = "triplet: hard, any view"
PAIRS: dict[str, object] = {"name": "pairs", "pairs_per_batch": 24}
PEOPLE: dict[str, object] = {"name": "people", "people_per_batch": 24}
SIMILAR: dict[str, object] = {**PEOPLE, "alike_fraction": 0.5}
MEMORY: dict[str, object] = {"memory_size": 480, "memory_warm_up_steps": 50}
TRIPLET: dict[str, object] = {"margin": 0.5}
# name: (loss, its options, sampler); each batch holds 48 photos.
CHOICES: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "contrastive: pairs, margin 2": ("contrastive", {"margin": 2.0}, PAIRS),
    "contrastive: pairs, margin auto": ("contrastive", {"margin": "auto"}, PAIRS),
    "triplet: hard, any view": ("triplet", {**TRIPLET, "mining": "hard", "views": "any"}, PEOPLE),
    "triplet: hard, cross": ("triplet", {**TRIPLET, "mining": "hard", "views": "cross"}, PEOPLE),
    "triplet: hard, soft margin, cross": ("triplet", {"mining": "hard", "views": "cross", "soft": True}, PEOPLE),
    "triplet: semi-hard, any view": ("triplet", {**TRIPLET, "mining": "semihard", "views": "any"}, PEOPLE),
    "triplet: semi-hard, cross": ("triplet", {**TRIPLET, "mining": "semihard", "views": "cross"}, PEOPLE),
    "triplet: all, any view": ("triplet", {**TRIPLET, "mining": "all", "views": "any"}, PEOPLE),
    "triplet: all, cross": ("triplet", {**TRIPLET, "mining": "all", "views": "cross"}, PEOPLE),
    "triplet: all, cross, XBM": ("triplet", {**TRIPLET, "mining": "all", "views": "cross", **MEMORY}, PEOPLE),
    "triplet: all, cross, similar people": ("triplet", {**TRIPLET, "mining": "all", "views": "cross"}, SIMILAR),
    "InfoNCE": ("infonce", {"temperature": 0.1}, PEOPLE),
    "InfoNCE, similar people": ("infonce", {"temperature": 0.1}, SIMILAR),
}


def build_tree(name: str, epochs: int, seed: int) -> dict[str, dict[str, object]]:
    """Return the settings of one training; what they leave out is the default of the network `mini`."""
    loss, options, sampler = CHOICES[name]
    return {
        "image": {"size_px": 64, "crop": "hand-canonical"},
        "model": {"arch": "mini"},
        "loss": {"name": loss, "options": options},
        "sampler": {**sampler, "passes_per_epoch": PASSES},
        "train": {"epochs": epochs, "seed": seed, "precision": "float32"},
    }


def measure_ranks(name: str, arguments: argparse.Namespace, dataset: "DataSet", seed: int) -> dict[str, float]:
    """Return the rank of each person's palm, by person, after training and testing on each fold in turn."""
    import keras

    from handnet.config.run_folder import read_run_split
    from handnet.data.splits.rules import select_part
    from handnet.embedding.encode import embed_part
    from handnet.evaluation.folds import fold_config
    from handnet.metrics.ranking import compute_person_ranks
    from handnet.networks.complete_config import complete_config
    from handnet.networks.encoder import load_encoder
    from handnet.training.train import train

    file = arguments.out / f"{name.replace(':', '').replace(', ', '-').replace(' ', '_')}-{seed}.json"
    if file.exists():
        return json.loads(file.read_text())
    ranks: dict[str, float] = {}
    for fold in range(arguments.folds):
        config = fold_config(complete_config(build_tree(name, arguments.epochs, seed)), arguments.folds, fold, 42)
        options = {**config.data.split_options, "val": 0.0}
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, split_options=options))
        keras.backend.clear_session()
        with tempfile.TemporaryDirectory() as folder:
            run = train(config, Path(folder) / "run", dataset, echo=lambda _: None, warn=lambda _: None)
            examples = select_part(dataset, read_run_split(run), "test")
            part = embed_part(run.config, load_encoder(run), examples, name="test")
        people = np.unique(part.identities)
        found = compute_person_ranks(part.embeddings, part.identities, part.views)
        ranks |= dict(zip(people.tolist(), found.tolist(), strict=True))
    file.write_text(json.dumps(ranks))
    return ranks


def describe(values: npt.NDArray[np.float64], scale: float = 1.0) -> str:
    """Return the mean over people with a 95 % percentile bootstrap interval over people; seed 0."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (10_000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{scale * values.mean():.2f} [{scale * low:.2f}, {scale * high:.2f}]"


def main() -> None:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--only", default="", help="names of choices, separated by ';'")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    arguments = parser.parse_args()
    from handnet.data.dataset import require_both_views
    from handnet.data.readers import read_dataset
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    dataset = read_dataset("hands11k", arguments.data)
    usable, _ = require_both_views(dataset.examples, "The ablation")
    dataset = dataclasses.replace(dataset, examples=usable)
    arguments.out.mkdir(parents=True, exist_ok=True)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    names = [name for name in arguments.only.split(";") if name] or list(CHOICES)
    results: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    # Seed by seed, so that an interrupted run has every choice equally often.
    for seed in seeds:
        for name in names:
            began = time.monotonic()
            for person, rank in measure_ranks(name, arguments, dataset, seed).items():
                results[name].setdefault(person, []).append(rank)
            print(f"seed {seed}  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"| choice | R@1, % | mean rank | R@1 less that of “{BASE}” | mean rank less that |")
    print("|---|---|---|---|---|")
    table = {
        name: np.asarray([[np.mean(np.asarray(ranks) <= 1), np.mean(ranks)] for _, ranks in sorted(people.items())])
        for name, people in results.items()
    }
    for name, figures in table.items():
        cells = [name, describe(figures[:, 0], 100), describe(figures[:, 1])]
        if BASE in table and name != BASE:
            difference = figures - table[BASE]
            cells += [describe(difference[:, 0], 100), describe(difference[:, 1])]
        else:
            cells += ["", ""]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
