"""Do the places that `handnet explain` names carry the score? Painting over the best cells, compared with random ones.

    python benchmarks/evidence.py RUN [--data DIR] [--cells 8] [--seed 0]

For each test person with both views, one random back and one random palm of theirs: the cells with the largest exact shares are
painted over in both photos, then as many random cells that hold hand, ten times, and the cells with the smallest shares. Printed:
by how much the similarity falls, and the paired difference, with 95 % intervals from a bootstrap over people. RUN must have exact
shares: --arch hand, mini or small with a linear head.
"""

import argparse
from pathlib import Path

import numpy as np

_DRAWS = 10
_REPLICATES = 2000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", default="")
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    from handnet.embedding.features import compute_features
    from handnet.evaluation.evidence import embed_pictures, find_linear_head, paint_cells, share_score, split_encoder
    from handnet.images.photo_store import load_cached, prepare_photos
    from handnet.library.opened_run import open_run
    from handnet.networks.encoder import load_encoder
    from handnet.networks.feature_places import GRID, list_feature_groups

    opened = open_run(arguments.run, arguments.data, "test")
    image, model, encoder = opened.run.config.image, opened.run.config.model, load_encoder(opened.run)
    groups, linear = list_feature_groups(encoder.backbone), find_linear_head(encoder.head)
    if groups is None or linear is None:
        raise SystemExit("This run has no exact shares.")
    train = [example.path for example in opened.select("train")]
    mean = compute_features(encoder.backbone, prepare_photos(train, image), image, model).mean(axis=0, dtype=float)
    pictures, describe = split_encoder(encoder)
    rng = np.random.default_rng(arguments.seed)
    people: dict[str, dict[str, list[str]]] = {}
    for example in opened.examples:
        people.setdefault(example.identity, {}).setdefault(example.view, []).append(example.path)
    fallen, signed = [], []
    for views in (views for views in people.values() if len(views) == 2):
        pair = [str(rng.choice(views[view])) for view in ("dorsal", "palmar")]
        photos = load_cached(prepare_photos(pair, image).files, image.size_px)
        features = np.asarray(encoder.backbone.predict_on_batch(photos), float)
        shares = share_score(features, groups, *linear, mean).cells.mean(axis=0).ravel()
        seen = np.asarray(pictures.predict_on_batch(photos.astype(np.float32)))
        # A cell holds hand where a tenth of it in either picture is no background.
        dark = (seen.min(axis=-1) < 230).mean(axis=0)
        size = dark.shape[0] // GRID
        filled = np.flatnonzero(dark[: size * GRID, : size * GRID].reshape(GRID, size, GRID, size).mean((1, 3)) > 0.1)
        ranked = filled[np.argsort(-shares[filled], kind="stable")]
        count = min(arguments.cells, len(filled) // 2)
        chosen = [ranked[:count], ranked[-count:], *(rng.choice(filled, count, replace=False) for _ in range(_DRAWS))]
        masks = [np.isin(np.arange(GRID**2), cells) for cells in chosen]
        painted = [paint_cells(picture, mask, image.background) for mask in masks for picture in seen]
        vectors = embed_pictures(describe, np.stack([*seen, *painted])).reshape(-1, 2, linear[1].size)
        scores = np.einsum("nd,nd->n", vectors[:, 0], vectors[:, 1])
        drops = scores[0] - scores[1:]
        fallen.append((drops[0], drops[2:].mean(), drops[1]))
        signed.append(scores[0])
    table = np.array(fallen)
    draws = np.random.default_rng(arguments.seed).integers(len(table), size=(_REPLICATES, len(table)))
    print(f"{len(table)} people, {arguments.cells} of {GRID**2} cells; mean similarity {np.mean(signed):.3f}")
    rows = {
        "best cells": table[:, 0],
        "random cells": table[:, 1],
        "worst cells": table[:, 2],
        "best minus random": table[:, 0] - table[:, 1],
        "random minus worst": table[:, 1] - table[:, 2],
    }
    for name, values in rows.items():
        low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
        print(f"{name:20} {values.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    print(f"best lowers it more than random for {np.mean(table[:, 0] > table[:, 1]):.0%} of the people")


if __name__ == "__main__":
    main()
