"""What is found for which photo: random queries, the worst ones with what was found in their place, people with similar hands."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
        neighbours = _find_nearest_people(part, gallery, row)
        right = next(n for n in neighbours if part.identities[n.row] == part.identities[row])
        wrong = [n for n in neighbours if n is not right][:num_wrong]
        found.append(Confusion(row, int(outcome.ranking.ranks[query]), len(gallery), right, tuple(wrong)))
    return found


class Search(NamedTuple):
    """A query and the people nearest to it.

    Attributes:
        row: the query's row of the part.
        place: place of the right person among the people of the gallery, from 1.
        num_people: people in the gallery.
        nearest: the nearest photo of each of the nearest people, the nearest first.
        right: the nearest photo of the right person.
    """

    row: int
    place: int
    num_people: int
    nearest: tuple[Neighbour, ...]
    right: Neighbour


def draw_searches(
    part: EmbeddedPart, seed: int, direction: str = "dorsal_to_palmar", num_queries: int = 8, num_nearest: int = 5
) -> list[Search]:
    """Return random queries, one photo of each of some random people, right or wrong as they come.

    Args:
        part: the photos.
        seed: random seed for people and photos.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        num_queries: how many people at most.
        num_nearest: people shown for each.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    asking, answering = direction.split("_to_")
    people = find_two_view_people(part.identities, part.views)
    gallery = np.flatnonzero(part.views == answering)
    rng = np.random.default_rng(seed)
    searches = []
    for person in rng.permutation(people)[:num_queries]:
        row = int(rng.choice(np.flatnonzero((part.identities == person) & (part.views == asking))))
        neighbours = _find_nearest_people(part, gallery, row)
        place = 1 + next(i for i, n in enumerate(neighbours) if part.identities[n.row] == person)
        searches.append(Search(row, place, len(neighbours), tuple(neighbours[:num_nearest]), neighbours[place - 1]))
    return searches


def _find_nearest_people(part: EmbeddedPart, gallery: npt.NDArray[np.int64], row: int) -> list[Neighbour]:
    """Return the nearest photo of each person of a gallery of rows to the photo `row`, the nearest person first."""
    similarities = part.embeddings[gallery] @ part.embeddings[row]
    nearest = np.argsort(-similarities, kind="stable")
    _, best = np.unique(part.identities[gallery[nearest]], return_index=True)
    return [Neighbour(int(gallery[nearest[i]]), float(similarities[nearest[i]])) for i in np.sort(best)]


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
