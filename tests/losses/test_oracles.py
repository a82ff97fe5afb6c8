"""The losses against numbers recorded from TensorFlow Addons and pytorch-metric-learning (tests/oracles)."""

import json
from pathlib import Path

import numpy as np
import pytest

from handnet.losses import build_loss
from handnet.losses.pair_masks import Pairs, compare_labels
from handnet.losses.triplet import hard_triplets
from tests.losses.cases import loss_and_gradient

ORACLES = Path(__file__).parents[1] / "oracles"
TFA = json.loads((ORACLES / "tfa_oracle.json").read_text())
PML_MORE = json.loads((ORACLES / "pml_more.json").read_text())
PML = json.loads((ORACLES / "pml_oracle.json").read_text())
INPUT = np.load(ORACLES / "oracle_input.npz")
ROWS = {"raw": INPUT["E"], "l2norm": INPUT["En"]}
LABELS = np.stack([INPUT["L"], np.zeros_like(INPUT["L"])], axis=1).astype("int32")
DISTANCES = {"L2": "l2", "squared-L2": "squared_l2", "sqL2": "squared_l2", "angular": "cosine"}
AVERAGES = {"Mean": "valid", "AvgNonZero": "active"}


def loss_of(name, options, rows):
    return float(build_loss(name, options)(LABELS, ROWS[rows]))


@pytest.mark.parametrize("key", [key for key in TFA if key.startswith("Triplet")])
def test_triplet_equals_tensorflow_addons(key):
    name, margin, rows, distance = key.split("|")
    options = {"mining": "semihard" if "Semi" in name else "hard", "soft": name.endswith("_soft")}
    options |= {"margin": float(margin.removeprefix("m=")), "distance": DISTANCES[distance]}
    assert loss_of("triplet", options, rows) == pytest.approx(TFA[key], rel=2e-6)


@pytest.mark.parametrize("key", [key for key in PML if key.split("|")[0] in ("all", "bathard")])
def test_triplet_equals_pytorch_metric_learning(key):
    mining, rows, margin, distance, reducer = key.split("|")
    options = {"mining": {"all": "all", "bathard": "hard"}[mining], "margin": float(margin)}
    options |= {"distance": DISTANCES[distance], "average": AVERAGES[reducer]}
    assert loss_of("triplet", options, rows) == pytest.approx(PML[key], rel=2e-6)


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0, 3.0])
def test_contrastive_of_pairs_equals_tensorflow_addons(margin):
    distances = np.linalg.norm(ROWS["l2norm"][:8] - ROWS["l2norm"][8:], axis=1)[:, None]
    same = np.array([1, 0] * 4)
    loss = float(build_loss("contrastive", {"margin": margin})(same, distances))
    assert loss == pytest.approx(TFA[f"ContrastiveLoss|m={margin}|pairs i,i+8 of l2norm"], rel=2e-6)


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0, 3.0])
def test_contrastive_of_each_pair_equals_tensorflow_addons(margin):
    distances = np.linalg.norm(ROWS["l2norm"][:8] - ROWS["l2norm"][8:], axis=1)
    loss = build_loss("contrastive", {"margin": margin})
    found = [float(loss(np.array([k % 2 == 0], dtype="int32"), distances[k : k + 1])) for k in range(8)]
    np.testing.assert_allclose(found, TFA[f"ContrastiveLoss_per|m={margin}"], rtol=2e-6)


@pytest.mark.parametrize("rows", ["raw", "l2norm"])
def test_hard_triplets_are_those_of_pytorch_metric_learning(rows):
    columns = np.arange(16, dtype="int32")
    masks = compare_labels(LABELS, LABELS, columns, cross=False)
    farthest, nearest, valid = hard_triplets(Pairs(ROWS[rows], ROWS[rows], *masks), "l2")
    assert np.array(valid).all()
    np.testing.assert_array_equal([columns, farthest, nearest], PML[f"hard_triplets|{rows}"])


@pytest.mark.parametrize("rows", ["raw", "l2norm"])
def test_contrastive_of_a_batch_equals_pytorch_metric_learning(rows):
    options = {"form": "linear", "average": "active", "margin": 1.0}
    assert loss_of("batch_contrastive", options, rows) == pytest.approx(PML[f"Contrastive|{rows}"], rel=2e-6)


SIMILARITY_LOSSES = {
    "SupCon(T=.1)": ("supcon", {"temperature": 0.1}),
    "NTXent(.07)": ("infonce", {"temperature": 0.07, "views": "any"}),
    "MultiSim": ("multi_similarity", {"mining": False}),
    "Circle": ("circle", {}),
}


@pytest.mark.parametrize("rows", ["raw", "l2norm"])
@pytest.mark.parametrize("key", SIMILARITY_LOSSES)
def test_similarity_losses_equal_pytorch_metric_learning(key, rows):
    name, options = SIMILARITY_LOSSES[key]
    assert loss_of(name, options, rows) == pytest.approx(PML[f"{key}|{rows}"], rel=2e-6)


WITH_GRADIENTS = {
    "arcface": ("arcface", {"num_classes": 4}),
    "cosface": ("cosface", {"num_classes": 4}),
    "proxy_anchor": ("proxy_anchor", {"num_classes": 4}),
    "multi_similarity": ("multi_similarity", {}),
    "triplet_hard": ("triplet", {"mining": "hard"}),
    "triplet_all": ("triplet", {"mining": "all"}),
    "triplet_all_active": ("triplet", {"mining": "all", "average": "active"}),
    "supcon": ("supcon", {}),
    "infonce": ("infonce", {"views": "any"}),
    "circle": ("circle", {}),
    "batch_contrastive": ("batch_contrastive", {"form": "linear", "average": "active", "margin": 1.0}),
}


@pytest.mark.parametrize("key", WITH_GRADIENTS)
def test_losses_and_gradients_equal_pytorch_metric_learning(key):
    name, options = WITH_GRADIENTS[key]
    loss = build_loss(name, options)
    if loss.needs_classes:
        loss.state.build((None, 8))
        loss.state.proxies.assign(np.random.default_rng(5).normal(size=(4, 8)))
    value, gradient = loss_and_gradient(loss, LABELS, ROWS["raw"])
    expected = np.array(PML_MORE[key]["gradient"])
    assert value == pytest.approx(PML_MORE[key]["loss"], rel=2e-6)
    assert np.abs(expected).max() > 0.02
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
