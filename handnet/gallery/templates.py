"""Templates: what is known of one hand of a person from one side, made of all its photos."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.gallery.records import HandKind, Photo, Vector

# No photo that was let in counts for nothing.
MIN_WEIGHT = 0.05


class Template(NamedTuple):
    """One hand of one person from one side.

    Attributes:
        person: id.
        kind: the hand and the view.
        num_photos: photos that it was made of.
        vector: float32 (D,), unit norm.
    """

    person: str
    kind: HandKind
    num_photos: int
    vector: Vector


def average_vectors(vectors: Vector, weights: npt.ArrayLike | None = None) -> Vector:
    """Return the mean direction.

    Args:
        vectors: (N, D), unit norm.
        weights: (N,) 0..1, or None: all equal.

    Returns:
        float32 (D,), unit norm; the first vector where they cancel.
    """
    mass = np.ones(len(vectors)) if weights is None else np.maximum(np.asarray(weights, np.float64), MIN_WEIGHT)
    mean = mass @ np.asarray(vectors, np.float64)
    norm = float(np.linalg.norm(mean))
    return np.asarray(mean / norm if norm > 1e-9 else vectors[0], dtype=np.float32)


def build_templates(photos: Iterable[Photo]) -> list[Template]:
    """Make the templates of photos: one for each person and kind of hand, weighted by quality.

    Args:
        photos: of any number of people.

    Returns:
        In the order of each template's first photo.
    """
    groups: dict[tuple[str, HandKind], list[Photo]] = {}
    for photo in photos:
        groups.setdefault((photo.person, photo.kind), []).append(photo)
    return [Template(person, kind, len(members), _average(members)) for (person, kind), members in groups.items()]


def _average(photos: list[Photo]) -> Vector:
    return average_vectors(np.stack([photo.vector for photo in photos]), [photo.quality for photo in photos])
