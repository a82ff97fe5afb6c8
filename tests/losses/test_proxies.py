"""Losses with a proxy for each class."""

import numpy as np
import pytest

from handnet.losses import LOSSES
from tests.losses.cases import (
    draw_batch,
    loss_and_gradient,
    ready_loss,
)
from tests.losses.fitted import build_model, photos


@pytest.mark.parametrize("name", ["proxy_anchor", "arcface", "cosface"])
def test_fit_trains_the_proxies(name):
    loss = ready_loss(name, {}, dim=8, num_classes=4)
    rows, labels = photos()
    model = build_model(loss)
    assert any(variable is loss.state.proxies for variable in model.trainable_variables)
    before = np.array(loss.state.proxies)
    history = model.fit(rows, labels, batch_size=16, epochs=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert np.abs(np.array(loss.state.proxies) - before).max() > 1e-3


def test_only_the_losses_with_proxies_need_classes():
    assert [name for name in LOSSES if LOSSES[name].needs_classes] == ["proxy_anchor", "arcface", "cosface"]
    assert [name for name in LOSSES if LOSSES[name].consumes == "distances"] == ["contrastive"]


def labels_of(identity, view):
    return np.stack(np.broadcast_arrays(identity, view), axis=1).astype("int32")


@pytest.mark.parametrize("kind", ["one row", "a single class", "one view"])
@pytest.mark.parametrize("name", [name for name in LOSSES if LOSSES[name].needs_classes])
def test_losses_with_proxies_need_no_other_rows(name, kind):
    labels, rows = draw_batch(dtype="float32")
    labels = {
        "one row": labels[:1],
        "a single class": labels_of(2, labels[:, 1]),
        "one view": labels_of(labels[:, 0], 1),
    }[kind]
    value, gradient = loss_and_gradient(ready_loss(name, {}), labels, rows[: len(labels)])
    assert value > 0
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0
