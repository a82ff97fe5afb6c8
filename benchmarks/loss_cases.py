"""The losses of losses.py and gpu.py, their counterparts in pytorch-metric-learning, and the batch. Imported, not run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

DIM = 256
PHOTOS = 4
MARGIN = 0.5

# name: (our loss, our options)
OURS: dict[str, tuple[str, dict[str, object]]] = {
    "triplet_hard": ("triplet", {"mining": "hard"}),
    "triplet_semihard": ("triplet", {"mining": "semihard"}),
    "triplet_all": ("triplet", {"mining": "all"}),
    "batch_contrastive": ("batch_contrastive", {"form": "linear", "average": "active", "margin": 1.0}),
    "infonce": ("infonce", {"views": "any"}),
    "supcon": ("supcon", {}),
    "multi_similarity": ("multi_similarity", {}),
    "circle": ("circle", {}),
    "proxy_anchor": ("proxy_anchor", {}),
    "arcface": ("arcface", {}),
    "cosface": ("cosface", {}),
}
WITH_PROXIES = ("proxy_anchor", "arcface", "cosface")


def draw_rows(count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return unit vectors (N, 256) with some structure by person, 4 photos each, and labels (N, 2), identity and view."""
    rng = np.random.default_rng(count)
    person = np.arange(count) // PHOTOS
    rows = rng.normal(size=(count // PHOTOS, DIM))[person] + 1.5 * rng.normal(size=(count, DIM))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype("float32"), np.stack([person, np.arange(count) % 2], axis=1).astype("int32")


def build_ours(name: str, count: int) -> tuple[Any, list[Any]]:
    """Return handnet's loss for a batch of `count` rows, and its trained variables."""
    from handnet.losses import build_loss

    key, options = OURS[name]
    loss = build_loss(key, {**options, **({"num_classes": count // PHOTOS} if name in WITH_PROXIES else {})})
    if loss.state is None:
        return loss, []
    loss.state.build((None, DIM))
    return loss, list(loss.state.trainable_variables)


def build_peer(name: str, count: int) -> tuple[Any, Any]:
    """Return pytorch-metric-learning's counterpart, and its miner or None."""
    from pytorch_metric_learning import distances, losses, miners, reducers

    l2 = distances.LpDistance(normalize_embeddings=False)
    classes = count // PHOTOS

    def triplet() -> Any:
        return losses.TripletMarginLoss(margin=MARGIN, distance=l2, reducer=reducers.MeanReducer())

    peers: dict[str, Callable[[], tuple[Any, Any]]] = {
        "triplet_hard": lambda: (triplet(), miners.BatchHardMiner(distance=l2)),
        "triplet_semihard": lambda: (triplet(), miners.TripletMarginMiner(MARGIN, "semihard", distance=l2)),
        "triplet_all": lambda: (triplet(), None),
        "batch_contrastive": lambda: (losses.ContrastiveLoss(distance=l2), None),
        "infonce": lambda: (losses.NTXentLoss(0.07), None),
        "supcon": lambda: (losses.SupConLoss(0.1), None),
        "multi_similarity": lambda: (losses.MultiSimilarityLoss(), miners.MultiSimilarityMiner(0.1)),
        "circle": lambda: (losses.CircleLoss(), None),
        "proxy_anchor": lambda: (losses.ProxyAnchorLoss(classes, DIM), None),
        "arcface": lambda: (losses.ArcFaceLoss(classes, DIM), None),
        "cosface": lambda: (losses.CosFaceLoss(classes, DIM), None),
    }
    return peers[name]()
