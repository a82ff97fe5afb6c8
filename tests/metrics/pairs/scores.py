"""Scores of all pairs of photos by loops that are plain to see, as scikit-learn takes them."""

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import EmbeddedPart

Scores = npt.NDArray[np.floating]


def label(genuine: Scores, impostor: Scores) -> tuple[Scores, Scores]:
    """Return labels, 1 for one person, and scores."""
    return np.r_[np.ones(len(genuine)), np.zeros(len(impostor))], np.r_[genuine, impostor]


def brute_force(part: EmbeddedPart) -> tuple[Scores, Scores]:
    """Return the cosines of dorsal with palmar photos, of one person and of two."""
    dorsal, palmar = part.select(part.views == "dorsal"), part.select(part.views == "palmar")
    similarities = dorsal.embeddings @ palmar.embeddings.T
    same = dorsal.identities[:, None] == palmar.identities
    return similarities[same], similarities[~same]
