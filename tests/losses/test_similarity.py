"""InfoNCE, SupCon, multi-similarity and circle loss against another implementation."""

import pytest

from tests.losses.recorded import PML, loss_of

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
