"""The one loop from batches to vectors."""

import numpy as np

from handnet.embedding.loop import embed


def test_vectors_come_in_order_with_what_is_done() -> None:
    told: list[tuple[int, int]] = []
    rows = np.arange(10, dtype=np.float64).reshape(5, 2)
    vectors = embed(lambda batch: 2 * batch, [rows[:3], rows[3:]], 2, 5, lambda done, total: told.append((done, total)))
    assert vectors.dtype == np.float32
    assert (vectors == 2 * rows).all()
    assert told == [(3, 5), (5, 5)]


def test_no_batches_give_no_vectors_of_the_right_width() -> None:
    assert embed(lambda batch: batch, [], 7).shape == (0, 7)
