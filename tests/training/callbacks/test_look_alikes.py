"""Templates of the training people, renewed after each epoch."""

import numpy as np

from handnet.data.batch_plan import Pool
from handnet.training.callbacks.look_alikes import LookAlikes


class Put:
    def __init__(self) -> None:
        self.epochs: list[int] = []

    def put(self, epoch: int, templates: object) -> None:
        self.epochs.append(epoch)
        self.templates = templates


def test_the_next_epoch_gets_templates_and_after_the_last_there_is_none(monkeypatch) -> None:
    monkeypatch.setattr(
        "handnet.training.callbacks.look_alikes.average_by_pool", lambda pools, vectors: (pools, vectors)
    )
    vectors, pools, put = np.eye(2, dtype=np.float32), list[Pool](), Put()
    callback = LookAlikes(lambda: vectors, pools, put)
    callback.set_params({"epochs": 3})
    callback.find(0)
    for epoch in range(3):
        callback.on_epoch_end(epoch)
    assert put.epochs == [0, 1, 2]
    assert put.templates[1] is vectors
