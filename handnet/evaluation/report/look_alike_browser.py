"""The look-alike browser: for a person, who is the most similar to them, and why; as numbers that the page's script draws."""

from collections.abc import Mapping, Sequence
from typing import Any

from handnet.evaluation.report.thumbnails import read_thumbnail
from handnet.metrics.closest_people import Candidate, ClosestPeople
from handnet.metrics.embedded import EmbeddedPart

# People that can be chosen: the page stays under about 4 MB.
MAX_PEOPLE = 100
_SMALL_PX = 150


def list_closest(
    part: EmbeddedPart, found: Sequence[ClosestPeople], shares: Mapping[tuple[str, str], Mapping[str, float]]
) -> dict[str, Any]:
    """Return what the browser shows; a photo that several people are shown with is there once.

    Args:
        part: the photos.
        found: who is similar to whom.
        shares: (person with backs, person with palms) → group → share of the similarity; empty where there are none.

    Returns:
        "photos": data addresses; "people": name, photo, place, number of people, and "shown": the own palms, then the others,
        each with name, photo, similarity and shares; "first": the person with the least lead.
    """
    numbers: dict[int, int] = {}

    def number(row: int) -> int:
        return numbers.setdefault(row, len(numbers))

    def show(person: str, other: Candidate) -> dict[str, Any]:
        own = [[name, round(value, 4)] for name, value in shares.get((person, other.person), {}).items()]
        return {
            "name": other.person,
            "photo": number(other.row),
            "similarity": round(other.similarity, 4),
            "shares": own,
        }

    people = [
        {
            "name": closest.person,
            "photo": number(closest.row),
            "place": closest.place,
            "of": closest.num_people,
            "shown": [show(closest.person, other) for other in (closest.own, *closest.others)],
        }
        for closest in found
    ]
    leads = [closest.lead for closest in found]
    photos = [read_thumbnail(part.paths[row], _SMALL_PX) for row in numbers]
    return {"photos": photos, "people": people, "first": leads.index(min(leads))}
