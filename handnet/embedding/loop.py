"""The one loop from batches of photos or features to vectors."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from handnet.console import Count

Floats = npt.NDArray[np.float32]


def embed_each(network: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Floats]:
    """Yield the vectors of each batch.

    Args:
        network: a batch (B, …) → (B, D): a model's `predict_on_batch`, or an engine's `embed`.
        batches: pixels (B, S, S, 3) or features (B, F), in order.

    Yields:
        float32 (B, D).
    """
    for batch in batches:
        yield np.asarray(keras.ops.convert_to_numpy(network(batch)), np.float32)


def embed(
    network: Callable[[Any], Any], batches: Iterable[Any], width: int, total: int = 0, count: Count | None = None
) -> Floats:
    """Return the vectors of batches, one after the other.

    Args:
        network: as `embed_each`.
        batches: as `embed_each`.
        width: D.
        total: rows in all, for `count`.
        count: called with (rows done, rows in all) after each batch.

    Returns:
        float32 (N, D); of no batches (0, D).
    """
    rows, done = [np.zeros((0, width), np.float32)], 0
    for vectors in embed_each(network, batches):
        rows.append(vectors)
        done += len(vectors)
        if count is not None:
            count(done, total)
    return np.concatenate(rows)
