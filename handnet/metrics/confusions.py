"""Which photos are confused: the worst queries with what was found in their place, and people with similar hands."""

from typing import Any, NamedTuple

import numpy as np

from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people
from handnet.metrics.protocols import Outcome
from handnet.metrics.ranking import average_by_identity

_BLOCK_CELLS = 1 << 22


class Neighbour(NamedTuple):
    """A gallery photo near a query.

    Attributes:
        row: its row of the part.
        similarity: cosine to the query.
    """

    row: int
    similarity: float


class Confusion(NamedTuple):
    """A query and what was found.

    Attributes:
        row: the query's row of the part.
        rank: rank of the first correct photo.
        num_gallery: photos that it was looked for among.
        right: the nearest photo of the right person.
        wrong: the nearest photo of each of the nearest wrong people, the nearest first.
    """

    row: int
    rank: int
    num_gallery: int
    right: Neighbour
    wrong: tuple[Neighbour, ...]

    def describe(self) -> dict[str, Any]:
        """Return it as plain mappings and numbers, for metrics.json."""
        neighbours = {"right": self.right._asdict(), "wrong": [neighbour._asdict() for neighbour in self.wrong]}
        return {"row": self.row, "rank": self.rank, "num_gallery": self.num_gallery, **neighbours}


def find_worst_queries(
    part: EmbeddedPart, outcome: Outcome, direction: str = "dorsal_to_palmar", num_queries: int = 12, num_wrong: int = 5
) -> list[Confusion]:
    """Return the photos whose person was found last, one a person.

    Args:
        part: the photos.
        outcome: of `rank_photos` on them.
        direction: that of the outcome, "dorsal_to_palmar" or "palmar_to_dorsal".
        num_queries: how many people.
        num_wrong: wrong people shown for each.
    """
    gallery = np.flatnonzero(part.views == direction.rsplit("_", 1)[1])
    order = np.argsort(-outcome.ranking.ranks, kind="stable")
    _, first = np.unique(outcome.people[order], return_index=True)
    chosen = order[np.sort(first)][:num_queries]
    found = []
    for query in chosen:
        row = int(outcome.rows[query])
        similarities = part.embeddings[gallery] @ part.embeddings[row]
        nearest = np.argsort(-similarities, kind="stable")
        people = part.identities[gallery[nearest]]
        _, best = np.unique(people, return_index=True)
        neighbours = [Neighbour(int(gallery[nearest[i]]), float(similarities[nearest[i]])) for i in np.sort(best)]
        right = next(n for n in neighbours if part.identities[n.row] == part.identities[row])
        wrong = [n for n in neighbours if n is not right][:num_wrong]
        found.append(Confusion(row, int(outcome.ranking.ranks[query]), len(gallery), right, tuple(wrong)))
    return found


class LookAlike(NamedTuple):
    """Two people whose hands the model takes for one person's.

    Attributes:
        dorsal_row: a dorsal photo of the one.
        palmar_row: the palmar photo of the other that is the nearest to it.
        similarity: cosine of the two people's templates.
    """

    dorsal_row: int
    palmar_row: int
    similarity: float


def find_look_alikes(part: EmbeddedPart, num_pairs: int = 8) -> list[LookAlike]:
    """Return the pairs of different people whose dorsal and palmar templates are the most similar, each pair once.

    Args:
        part: the photos.
        num_pairs: how many.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    find_two_view_people(part.identities, part.views)
    dorsal, palmar = part.views == "dorsal", part.views == "palmar"
    asking, askers = average_by_identity(part.embeddings[dorsal], part.identities[dorsal])
    answering, answerers = average_by_identity(part.embeddings[palmar], part.identities[palmar])
    best: list[tuple[float, str, str]] = []
    rows = max(1, _BLOCK_CELLS // len(answerers))
    for first in range(0, len(askers), rows):
        block = asking[first : first + rows] @ answering.T
        block[askers[first : first + rows, None] == answerers] = -2.0
        # Each pair may come up twice, once in each direction.
        count = min(2 * num_pairs, block.size)
        top = np.argpartition(block.ravel(), -count)[-count:]
        best += [
            (float(block.ravel()[i]), str(askers[first + i // len(answerers)]), str(answerers[i % len(answerers)]))
            for i in top
        ]
    pairs: dict[frozenset[str], LookAlike] = {}
    for similarity, one, other in sorted(best, key=lambda entry: -entry[0]):
        key = frozenset((one, other))
        if key not in pairs and similarity >= -1.5 and len(pairs) < num_pairs:
            backs, palms = (
                np.flatnonzero(dorsal & (part.identities == one)),
                np.flatnonzero(palmar & (part.identities == other)),
            )
            closeness = part.embeddings[backs] @ part.embeddings[palms].T
            i, j = np.unravel_index(int(np.argmax(closeness)), closeness.shape)
            pairs[key] = LookAlike(int(backs[i]), int(palms[j]), similarity)
    return [*pairs.values()]
