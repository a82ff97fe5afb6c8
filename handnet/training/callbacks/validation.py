"""Retrieval figures of the validation people after each epoch."""

import contextlib
from collections.abc import Callable, Sequence

import keras
import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from handnet.metrics.ranking import compute_person_ranks

_MAX_PAIRED = 2000


class Validation(keras.callbacks.Callback):
    """Puts retrieval figures of the validation people into the logs of each epoch, before the other callbacks see them.

    Adds `val_mean_rank`, `val_recall_at_1`, `val_recall_at_5`, `val_recall_at_10` (dorsal → palmar, person templates)
    and `val_mean_norm`, the length of the mean unit vector (1 means collapsed). Where photos have no views of their own
    also `val_auc`: how well the cosine tells pairs of one from pairs of two people.

    Args:
        embed: returns the vectors of the photos of the validation people, float32 (N, D), in the order of the labels.
        identities: their people.
        views: their views.
        swap: a context manager in which the encoder holds the weights to be validated.
        as_pairs: whether to compare the photos in pairs too.

    Attributes:
        embeddings: float32 (N, D), the validation photos' vectors after the last epoch.
    """

    def __init__(
        self,
        embed: Callable[[], npt.NDArray[np.float32]],
        identities: Sequence[str],
        views: Sequence[str],
        swap: Callable[[], contextlib.AbstractContextManager[None]],
        as_pairs: bool = False,
    ) -> None:
        super().__init__()
        self._embed, self._swap, self._as_pairs = embed, swap, as_pairs
        self._identities, self._views = np.asarray(identities), np.asarray(views)
        self.embeddings = np.zeros((0, 0), np.float32)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Embed the validation photos and add the figures to `logs`."""
        if logs is None:
            return
        with self._swap():
            self.embeddings = self._embed()
        ranks = compute_person_ranks(self.embeddings, self._identities, self._views)
        logs["val_mean_rank"] = float(np.mean(ranks))
        for k in (1, 5, 10):
            logs[f"val_recall_at_{k}"] = float(np.mean(ranks <= k))
        if self._as_pairs:
            logs["val_auc"] = compute_all_pairs_auc(self.embeddings, self._identities)
        logs["val_mean_norm"] = float(np.linalg.norm(self.embeddings.mean(axis=0)))


def compute_all_pairs_auc(embeddings: npt.NDArray[np.float32], identities: npt.NDArray[np.generic]) -> float:
    """Return P(cosine of one person's pair > cosine of two people's) + P(equal) / 2 over all pairs of photos.

    Args:
        embeddings: float32 (N, D), unit norm; of more than 2,000 rows, 2,000 spread evenly are taken.
        identities: (N,), some of them twice, and not all the same.
    """
    kept = np.unique(np.linspace(0, len(embeddings) - 1, min(len(embeddings), _MAX_PAIRED)).astype(np.int64))
    first, second = np.triu_indices(len(kept), k=1)
    scores = (embeddings[kept] @ embeddings[kept].T)[first, second]
    same = identities[kept][first] == identities[kept][second]
    num_same, num_other = int(same.sum()), int((~same).sum())
    return float((rankdata(scores)[same].sum() - num_same * (num_same + 1) / 2) / (num_same * num_other))
