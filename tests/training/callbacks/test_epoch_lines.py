"""The line of an epoch."""

from handnet.training.callbacks.epoch_lines import EpochLines


def test_a_line_says_loss_validation_and_time() -> None:
    lines: list[str] = []
    callback = EpochLines(4, 0, 10, 3.5, lines.append)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"loss": 0.25})
    callback.on_epoch_end(3, {"loss": 0.125, "val_mean_rank": 2.0, "val_recall_at_1": 0.5, "val_recall_at_5": 1.0})
    assert lines[0] == "epoch 1/4  loss 0.2500  0 s, about 0 s left"
    assert lines[1].startswith(
        "epoch 4/4  loss 0.1250  validation: mean rank 2.00 (chance 3.5), R@1 50.0 %, R@5 100.0 %"
    )
    assert lines[1].endswith("about 0 s left")
