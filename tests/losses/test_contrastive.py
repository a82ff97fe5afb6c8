"""The contrastive losses against other implementations, and their smallest batches."""

import numpy as np
import pytest

from handnet.losses import build_loss
from tests.losses.cases import (
    draw_pairs,
    loss_and_gradient,
    ready_loss,
)
from tests.losses.recorded import PML, ROWS, TFA, loss_of


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
def test_contrastive_of_a_batch_equals_pytorch_metric_learning(rows):
    options = {"form": "linear", "average": "active", "margin": 1.0}
    assert loss_of("batch_contrastive", options, rows) == pytest.approx(PML[f"Contrastive|{rows}"], rel=2e-6)


@pytest.mark.parametrize("same", [0, 1])
def test_one_pair_is_a_batch_of_the_contrastive_loss(same):
    value, gradient = loss_and_gradient(ready_loss("contrastive", {}), np.array([[same]]), np.array([[1.5]]))
    # Of margin 2: 1.5² for the same person, (2 - 1.5)² for two.
    assert value == pytest.approx([0.25, 2.25][same])
    assert gradient == pytest.approx([-1.0, 3.0][same])


def test_an_empty_batch_of_pairs_is_zero():
    labels, distances = draw_pairs(dtype="float32")
    value, _ = loss_and_gradient(ready_loss("contrastive", {}), labels[:0], distances[:0])
    assert value == 0
