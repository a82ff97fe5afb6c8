"""Do the places that `handnet explain` names carry the score? Painting over the best cells, compared with random ones.

    python benchmarks/evidence.py RUN [--data DIR] [--cells 8] [--seed 0]

For each test person with both views, one random back and one random palm of theirs. In one of the two photos the cells with the
largest exact shares are painted over, then as many random cells that hold hand, four times, and the cells with the smallest
shares; then in the other photo; the mean of both is the person's. Never in both at once: the same white patches in two photos
make them more similar. Printed: by how much the similarity falls, and the paired differences, with 95 % intervals from a
bootstrap over people. RUN must have exact shares: --arch hand, mini or small with a linear head.
"""

import argparse
from pathlib import Path

import numpy as np

_DRAWS = 4
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
    from handnet.evaluation.evidence import embed_pictures, paint_cells, share_score, split_encoder
    from handnet.evaluation.linear_account import account_for
    from handnet.images.photo_store import load_cached, prepare_photos
    from handnet.library.opened_run import open_run
    from handnet.networks.encoder import load_encoder
    from handnet.networks.feature_places import GRID, list_feature_groups

    opened = open_run(arguments.run, arguments.data, "test")
    image, model, encoder = opened.run.config.image, opened.run.config.model, load_encoder(opened.run)
    groups = list_feature_groups(encoder.backbone)
    train = [example.path for example in opened.select("train")]
    mean = compute_features(encoder.backbone, prepare_photos(train, image), image, model).mean(axis=0, dtype=float)
    if groups is None or account_for(encoder.head, mean[None]) is None:
        raise SystemExit("This run has no exact shares.")
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
        account = account_for(encoder.head, features)
        assert account is not None, "the head is linear"
        shares = share_score(features, groups, account, mean).cells
        if shares is None:
            raise SystemExit("The places of this run's features are not known.")
        shares = shares.reshape(2, -1)
        seen = np.asarray(pictures.predict_on_batch(photos.astype(np.float32)))
        painted = []
        for picture, own in zip(seen, shares, strict=True):
            # A cell holds hand where a tenth of it is no background.
            size = picture.shape[0] // GRID
            dark = (picture.min(axis=-1) < 230)[: size * GRID, : size * GRID]
            filled = np.flatnonzero(dark.reshape(GRID, size, GRID, size).mean((1, 3)) > 0.1)
            ranked = filled[np.argsort(-own[filled], kind="stable")]
            count = min(arguments.cells, len(filled) // 2)
            draws = [rng.choice(filled, count, replace=False) for _ in range(_DRAWS)]
            masks = [np.isin(np.arange(GRID**2), cells) for cells in (ranked[:count], ranked[-count:], *draws)]
            painted.append([paint_cells(picture, mask, image.background) for mask in masks])
        vectors = embed_pictures(describe, np.stack([*seen, *painted[0], *painted[1]]))
        whole = float(vectors[0] @ vectors[1])
        each = vectors[2:].reshape(2, -1, vectors.shape[1])
        drops = whole - (each[0] @ vectors[1] + each[1] @ vectors[0]) / 2
        fallen.append((drops[0], drops[2:].mean(), drops[1]))
        signed.append(whole)
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
