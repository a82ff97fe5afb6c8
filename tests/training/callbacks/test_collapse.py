"""Warnings of a training run that has stopped learning."""

import pytest

from handnet.training.callbacks.collapse import CollapseDetector


@pytest.fixture
def lines() -> list[str]:
    return []


def test_a_loss_at_the_margin_is_said_once_after_three_epochs(lines: list[str]) -> None:
    detector = CollapseDetector(0.5, lines.append)
    for epoch, loss in enumerate([0.7, 0.501, 0.4995, 0.3, 0.5, 0.5, 0.5, 0.5]):
        detector.on_epoch_end(epoch, {"loss": loss})
        assert len(lines) == (epoch >= 6), "0.3 begins the count again"
    assert "the loss has stayed at the margin (0.5) for 3 epochs" in lines[0]


def test_a_loss_without_a_margin_stays_anywhere(lines: list[str]) -> None:
    detector = CollapseDetector(None, lines.append)
    for epoch in range(5):
        detector.on_epoch_end(epoch, {"loss": 0.5, "val_mean_norm": 0.98})
    assert lines == []


def test_one_vector_for_all_photos_and_a_loss_that_is_no_number_are_said(lines: list[str]) -> None:
    detector = CollapseDetector(0.5, lines.append)
    detector.on_epoch_end(1, {"loss": float("nan"), "val_mean_norm": 0.995})
    assert lines[0].startswith("epoch 2: the loss is nan. Lower the learning rate")
    assert lines[1].startswith(
        "epoch 2: collapsed: all validation photos have nearly the same vector (mean length 0.995)"
    )
