"""The triplet losses against other implementations and by hand."""

import numpy as np
import pytest

from handnet.losses.pair_masks import Pairs, compare_labels
from handnet.losses.triplet import hard_triplets
from tests.losses.cases import ready_loss
from tests.losses.recorded import LABELS, PML, ROWS, TFA, loss_of

DISTANCES = {"L2": "l2", "squared-L2": "squared_l2", "sqL2": "squared_l2", "angular": "cosine"}
AVERAGES = {"Mean": "valid", "AvgNonZero": "active"}


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


@pytest.mark.parametrize("rows", ["raw", "l2norm"])
def test_hard_triplets_are_those_of_pytorch_metric_learning(rows):
    columns = np.arange(16, dtype="int32")
    masks = compare_labels(LABELS, LABELS, columns, cross=False)
    farthest, nearest, valid = hard_triplets(Pairs(ROWS[rows], ROWS[rows], *masks), "l2")
    assert np.array(valid).all()
    np.testing.assert_array_equal([columns, farthest, nearest], PML[f"hard_triplets|{rows}"])


def test_semihard_takes_the_nearest_negative_beyond_the_positive_and_falls_back_to_the_farthest():
    labels = np.array([[0, 0], [0, 0], [1, 0], [2, 0]], dtype="int32")
    rows = np.array([[0.0], [2.0], [1.5], [3.0]])
    # Anchor 0: positive at 2, negatives at 1.5 and 3 -> 3 is the nearest beyond: 2 - 3 + 4 = 3.
    # Anchor 1: positive at 2, negatives at 0.5 and 1 -> none beyond, the farthest is 1: 2 - 1 + 4 = 5.
    assert float(ready_loss("triplet", {"mining": "semihard", "margin": 4.0})(labels, rows)) == pytest.approx(4.0)
