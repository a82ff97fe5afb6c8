"""For each person the people who look most similar to them, by templates: backs of the one, palms of the others. NumPy only."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people
from handnet.metrics.ranking import average_by_identity

_BLOCK_CELLS = 1 << 22


class Candidate(NamedTuple):
    """A person's palms next to another person's backs, or their own.

    Attributes:
        person: whose palms.
        row: of the part, the palm that is nearest to the template.
        similarity: cosine of the two templates.
    """

    person: str
    row: int
    similarity: float


class ClosestPeople(NamedTuple):
    """A person and who is similar to them.

    Attributes:
        person: whose backs.
        row: of the part, the back that is nearest to the template.
        own: the person's own palms.
        place: of the own palms among all people's, from 1; ties count against them.
        num_people: people with palms.
        others: the most similar other people, the most similar first.
    """

    person: str
    row: int
    own: Candidate
    place: int
    num_people: int
    others: tuple[Candidate, ...]

    @property
    def lead(self) -> float:
        """By how much the own palms are more similar than those of the most similar other person."""
        return self.own.similarity - self.others[0].similarity


def find_closest_people(part: EmbeddedPart, max_people: int, num_others: int = 5) -> list[ClosestPeople]:
    """Return for each person with both views the people whose palms are the most similar to the person's backs.

    Args:
        part: the photos.
        max_people: of more people, those with the least lead.
        num_others: other people for each.

    Returns:
        In the order of the people's names.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    both = find_two_view_people(part.identities, part.views)
    backs, askers = _average(part, "dorsal")
    palms, answerers = _average(part, "palmar")
    asking = np.flatnonzero(np.isin(askers, both))
    own = np.searchsorted(answerers, askers[asking])
    num_others = min(num_others, len(answerers) - 1)
    similarities, nearest = np.zeros((len(asking), num_others)), np.zeros((len(asking), num_others), np.int64)
    of_own, places = np.zeros(len(asking)), np.zeros(len(asking), np.int64)
    rows = max(1, _BLOCK_CELLS // len(answerers))
    for first in range(0, len(asking), rows):
        some = slice(first, first + rows)
        block = (backs[asking[some]] @ palms.T).astype(np.float64)
        each = np.arange(len(block))
        of_own[some] = block[each, own[some]]
        block[each, own[some]] = -np.inf
        places[some] = 1 + (block >= of_own[some, None]).sum(axis=1)
        nearest[some] = np.argsort(-block, axis=1, kind="stable")[:, :num_others]
        similarities[some] = np.take_along_axis(block, nearest[some], axis=1)
    hardest = np.argsort(of_own - similarities[:, 0], kind="stable")[:max_people]
    found = []
    for index in np.sort(hardest):
        others = zip(nearest[index], similarities[index], strict=True)
        found.append(
            ClosestPeople(
                str(askers[asking[index]]),
                _find_typical(part, "dorsal", askers[asking[index]], backs[asking[index]]),
                _take(part, answerers, palms, own[index], of_own[index]),
                int(places[index]),
                len(answerers),
                tuple(_take(part, answerers, palms, other, similarity) for other, similarity in others),
            )
        )
    return found


def _average(part: EmbeddedPart, view: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.generic]]:
    mine = part.views == view
    return average_by_identity(part.embeddings[mine], part.identities[mine])


def _take(
    part: EmbeddedPart,
    people: npt.NDArray[np.generic],
    templates: npt.NDArray[np.float32],
    index: np.int64,
    similarity: np.float64,
) -> Candidate:
    return Candidate(
        str(people[index]), _find_typical(part, "palmar", people[index], templates[index]), float(similarity)
    )


def _find_typical(part: EmbeddedPart, view: str, person: np.generic, template: npt.NDArray[np.float32]) -> int:
    rows = np.flatnonzero((part.views == view) & (part.identities == person))
    return int(rows[np.argmax(part.embeddings[rows] @ template)])
