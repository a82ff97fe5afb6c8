"""Batches with nothing to compare, and rows that are equal: zero loss where no anchor is valid, never a NaN."""

import numpy as np
import pytest

from handnet.losses import LOSSES
from tests.losses.cases import (
    CASES,
    EMBEDDING_CASES,
    PAIR_CASES,
    case_id,
    draw_batch,
    loss_and_gradient,
    ready_loss,
)


def labels_of(identity, view):
    return np.stack(np.broadcast_arrays(identity, view), axis=1).astype("int32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_duplicate_rows_give_finite_gradients(name, options, dtype):
    if LOSSES[name].consumes == "distances":
        y_true, y_pred = np.array([[1], [0], [1]]), np.zeros((3, 1), dtype)
    else:
        y_true, y_pred = draw_batch(dtype=dtype)
        y_pred[:] = y_pred[[0, 0, 1, 1, 0, 2, 2, 3, 0, 1, 4, 4]]
    value, gradient = loss_and_gradient(ready_loss(name, options), y_true, y_pred)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(("name", "options"), EMBEDDING_CASES, ids=case_id)
def test_all_rows_equal_or_zero_give_finite_gradients(name, options):
    labels, rows = draw_batch(dtype="float32")
    for y_pred in (np.zeros_like(rows), np.full_like(rows, 0.577)):
        value, gradient = loss_and_gradient(ready_loss(name, options), labels, y_pred)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize(("name", "options"), PAIR_CASES, ids=case_id)
@pytest.mark.parametrize("kind", ["one row", "every identity once"])
def test_without_positives_only_the_contrastive_loss_remains(name, options, kind):
    labels, rows = draw_batch(dtype="float32")
    labels, rows = (labels[:1], rows[:1]) if kind == "one row" else (labels_of(np.arange(12), labels[:, 1]), rows)
    value, gradient = loss_and_gradient(ready_loss(name, options), labels, rows)
    if name == "batch_contrastive" and kind != "one row":
        assert value > 0
    else:
        assert value == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize(("name", "options"), PAIR_CASES, ids=case_id)
def test_a_single_class_leaves_only_the_contrastive_loss(name, options):
    labels, rows = draw_batch(dtype="float32")
    value, gradient = loss_and_gradient(ready_loss(name, options), labels_of(7, labels[:, 1]), rows)
    if name == "batch_contrastive":
        assert value > 0
    else:
        assert value == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize(("name", "options"), PAIR_CASES, ids=case_id)
def test_one_view_only(name, options):
    labels, rows = draw_batch(dtype="float32")
    labels = labels_of(labels[:, 0], 1)
    loss = ready_loss(name, options)
    value, gradient = loss_and_gradient(loss, labels, rows)
    assert np.isfinite(gradient).all()
    if loss.views == "cross":
        assert value == 0
        assert (gradient == 0).all()
    else:
        assert value == pytest.approx(float(ready_loss(name, {**options, "views": "any"})(labels, rows)), rel=1e-6)
        assert value > 0


@pytest.mark.parametrize("name", [name for name in LOSSES if LOSSES[name].needs_classes])
def test_rows_of_no_training_identity_take_no_part(name):
    labels, rows = draw_batch(dtype="float32")
    loss = ready_loss(name, {})
    alone, _ = loss_and_gradient(loss, labels, rows)
    strangers = labels_of([5, 2**31 - 1, -1], 0)
    together, gradient = loss_and_gradient(
        loss, np.concatenate([labels, strangers]), np.concatenate([rows, rows[:3] + 0.5])
    )
    assert together == pytest.approx(alone, rel=1e-6)
    assert (gradient[-3:] == 0).all()
    value, gradient = loss_and_gradient(loss, strangers, rows[:3])
    assert value == 0
    assert (gradient == 0).all()
