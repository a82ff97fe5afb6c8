"""A flat map of the embedding space, for looking at."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.evaluation.report.maps import compute_tsne
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people
from handnet.metrics.protocols import rank_templates
from handnet.metrics.ranking import average_by_identity


class EmbeddingMap(NamedTuple):
    """People as two points each.

    Attributes:
        people: (P,) names.
        dorsal: (P, 2) where the dorsal template lies.
        palmar: (P, 2) where the palmar template lies.
        found: (P,) whether the palmar template was found first.
    """

    people: npt.NDArray[np.generic]
    dorsal: npt.NDArray[np.float64]
    palmar: npt.NDArray[np.float64]
    found: npt.NDArray[np.bool_]


def draw_map(part: EmbeddedPart, seed: int = 0, max_people: int = 400) -> EmbeddingMap:
    """Lay the templates of people out in a plane by t-SNE, so that neighbours by cosine stay neighbours.

    Args:
        part: the photos.
        seed: random seed for the layout, and for who is drawn where there are more people than can be seen.
        max_people: how many at most.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    people = find_two_view_people(part.identities, part.views)
    if len(people) > max_people:
        people = np.sort(np.random.default_rng(seed).choice(people, max_people, replace=False))
    ranks = rank_templates(part, "dorsal_to_palmar").ranking.ranks
    everybody = find_two_view_people(part.identities, part.views)
    keep = np.isin(part.identities, people)
    dorsal, palmar = keep & (part.views == "dorsal"), keep & (part.views == "palmar")
    backs, _ = average_by_identity(part.embeddings[dorsal], part.identities[dorsal])
    palms, _ = average_by_identity(part.embeddings[palmar], part.identities[palmar])
    flat = compute_tsne(np.concatenate([backs, palms]), seed)
    return EmbeddingMap(people, flat[: len(backs)], flat[len(backs) :], ranks[np.isin(everybody, people)] == 1)
