"""Every loss with the options that change what it computes, and small batches to compute it on."""

import numpy as np
import tensorflow as tf

from handnet.losses import LOSSES, build_loss

TRIPLETS = [
    {"mining": mining, "soft": soft, "distance": distance, "margin": 0.4}
    for mining in ("hard", "semihard", "all")
    for soft, distance in ((False, "l2"), (True, "l2"), (False, "squared_l2"), (False, "cosine"))
]
OPTIONS = {
    "contrastive": [{"form": form, "margin": 1.5} for form in ("published", "hadsell", "linear")],
    "batch_contrastive": [
        {"margin": 1.5},
        {"form": "hadsell", "views": "cross", "margin": "auto"},
        {"form": "linear", "average": "active", "margin": 1.2},
    ],
    "triplet": [
        *TRIPLETS,
        {"mining": "all", "average": "active", "views": "cross"},
        {"mining": "semihard", "average": "active", "views": "cross"},
        {"mining": "hard", "average": "active", "views": "both"},
        {"mining": "hard", "views": "cross"},
    ],
    "infonce": [{}, {"views": "any", "temperature": 0.2}],
    "supcon": [{}, {"views": "both"}],
    "multi_similarity": [{}, {"mining": False, "beta": 10.0}, {"views": "cross", "epsilon": 0.3}],
    "circle": [{"scale": 8.0}, {"views": "cross", "scale": 8.0}],
    "proxy_anchor": [{"alpha": 8.0}],
    "arcface": [{"scale": 8.0}, {"scale": 8.0, "margin": 2.0}],
    "cosface": [{"scale": 8.0}],
}
# A loss that is added to LOSSES is tested with its defaults until it has options of its own here.
CASES = [(name, options) for name in LOSSES for options in OPTIONS.get(name, [{}])]
FIRST_CASES = [(name, OPTIONS.get(name, [{}])[0]) for name in LOSSES]
EMBEDDING_CASES = [(name, options) for name, options in CASES if LOSSES[name].consumes == "embeddings"]
PAIR_CASES = [(name, options) for name, options in EMBEDDING_CASES if not LOSSES[name].needs_classes]
MINING_CASES = [
    *[case for case in FIRST_CASES if case[0] != "triplet"],
    *[("triplet", {"mining": mining}) for mining in ("hard", "semihard", "all")],
    ("triplet", {"mining": "all", "soft": True, "views": "both"}),
]
NUM_CLASSES = 5
DIM = 3


def case_id(value):
    """Return the name of a test case."""
    return "-".join(str(v) for v in value.values()) or "default" if isinstance(value, dict) else None


def draw_proxies(num_classes=NUM_CLASSES, dim=DIM):
    return np.random.default_rng(99).normal(size=(num_classes, dim)).astype("float32")


def ready_loss(name, options, dim=DIM, num_classes=NUM_CLASSES):
    """Return the loss; its proxies, where it has any, are those of `draw_proxies`."""
    if LOSSES[name].needs_classes:
        options = {**options, "num_classes": num_classes}
    loss = build_loss(name, options)
    if LOSSES[name].needs_classes:
        loss.state.build((None, dim))
        loss.state.proxies.assign(draw_proxies(num_classes, dim))
    return loss


def draw_batch(seed=3, dim=DIM, dtype="float64"):
    """Return labels and embeddings: five identities with 1 to 4 photos of both views, unequal on purpose."""
    identity = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4])
    view = np.array([0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0])
    rows = np.random.default_rng(seed).normal(size=(12, dim))
    return np.stack([identity, view], axis=1).astype("int32"), rows.astype(dtype)


def draw_pairs(seed=3, dtype="float64"):
    """Return labels (B, 1) and distances (B, 1) of a twin network."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, size=(12, 1)).astype("int32"), rng.uniform(0.1, 2.0, size=(12, 1)).astype(dtype)


def draw_for(name, seed=3, dtype="float64"):
    """Return y_true and y_pred of the kind that the loss consumes."""
    return draw_pairs(seed, dtype) if LOSSES[name].consumes == "distances" else draw_batch(seed, dtype=dtype)


def loss_and_gradient(loss, y_true, y_pred):
    """Return the loss as a float and its gradient by y_pred as an array, computed eagerly."""
    y_pred = tf.convert_to_tensor(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(tf.convert_to_tensor(y_true), y_pred)
    gradient = tape.gradient(value, y_pred, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return float(value), gradient.numpy()
