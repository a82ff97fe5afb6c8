"""The losses against numbers recorded from TensorFlow Addons and pytorch-metric-learning (tests/oracles)."""

import json

import numpy as np
import pytest

from handnet.losses import build_loss
from tests.losses.cases import loss_and_gradient
from tests.losses.recorded import LABELS, ORACLES, ROWS

PML_MORE = json.loads((ORACLES / "pml_more.json").read_text())
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
