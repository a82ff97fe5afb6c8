"""The report's photos: what was found for which query, and what was confused with what."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from handnet.evaluation.report.render import Thumbnail
from handnet.metrics.confusions import draw_searches, find_look_alikes
from handnet.metrics.embedded import EmbeddedPart


class Strip(NamedTuple):
    """A query with the people nearest to it.

    Attributes:
        words: what came of it.
        kind: "right" or "wrong".
        photos: the query, the nearest people, and the right person where that is none of these.
    """

    words: str
    kind: str
    photos: list[Thumbnail]


def show_searches(part: EmbeddedPart, seed: int, num_queries: int = 8) -> list[Strip]:
    """Return random queries with the people nearest to them, right or wrong as they come.

    Args:
        part: the photos.
        seed: random seed for the queries.
        num_queries: how many.
    """
    strips = []
    for search in draw_searches(part, seed, num_queries=num_queries):
        person, right = part.identities[search.row], search.place == 1
        photos = [_show(part, search.row, "query", "query")]
        for place, neighbour in enumerate(search.nearest, 1):
            kind = "right" if part.identities[neighbour.row] == person else "wrong"
            photos.append(_show(part, neighbour.row, kind, f"{place}. {_cosine(neighbour.similarity)}"))
        if search.place > len(search.nearest):
            photos.append(_show(part, search.right.row, "right", f"{search.place}. {_cosine(search.right.similarity)}"))
        words = "Right person first" if right else f"Right person in place {search.place} of {search.num_people}"
        strips.append(Strip(words, "right" if right else "wrong", photos))
    return strips


class WorstQuery(NamedTuple):
    """A query whose person was found late.

    Attributes:
        query: its photo.
        right: the nearest photo of the same person.
        wrong: the nearest photo of each of the nearest wrong people.
        reasons: (words, `draw_evidence`) of the pairs that were explained.
    """

    query: Thumbnail
    right: Thumbnail
    wrong: list[Thumbnail]
    reasons: list[tuple[str, Mapping[str, Any]]]


def show_worst_queries(
    part: EmbeddedPart, worst: Sequence[Mapping[str, Any]], evidence: Mapping[tuple[int, int], Mapping[str, Any]]
) -> list[WorstQuery]:
    """Return the photos whose person was found last, each with its true match and the nearest wrong people.

    Args:
        part: the photos.
        worst: one direction of "worst_queries" in metrics.json: rows of the part.
        evidence: (row of the query, row of another photo) → why they are as similar as they are, drawn.
    """
    rows = []
    for confusion in worst:
        right = confusion["right"]
        query = _show(part, confusion["row"], "query", f"rank {confusion['rank']:,} of {confusion['num_gallery']:,}")
        true = _show(part, right["row"], "right", f"same {_cosine(right['similarity'])}")
        wrong = [
            _show(part, neighbour["row"], "wrong", f"{place}. wrong {_cosine(neighbour['similarity'])}")
            for place, neighbour in enumerate(confusion["wrong"], 1)
        ]
        pairs = (("the wrong person found first", confusion["wrong"][:1]), ("the right person", [right]))
        reasons = [
            (f"Why {words} is this similar", evidence[confusion["row"], neighbour["row"]])
            for words, neighbours in pairs
            for neighbour in neighbours
            if (confusion["row"], neighbour["row"]) in evidence
        ]
        rows.append(WorstQuery(query, true, wrong, reasons))
    return rows


def show_look_alikes(part: EmbeddedPart, num_pairs: int = 8) -> list[tuple[Thumbnail, Thumbnail]]:
    """Return the pairs of people whose templates are the most similar.

    Args:
        part: the photos.
        num_pairs: pairs shown.
    """
    return [
        (
            _show(part, pair.dorsal_row, "query", f"templates {_cosine(pair.similarity)}"),
            _show(part, pair.palmar_row, "wrong", "another person"),
        )
        for pair in find_look_alikes(part, num_pairs)
    ]


def _cosine(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _show(part: EmbeddedPart, row: int, kind: str, caption: str) -> Thumbnail:
    hand = f"{part.identities[row]} {part.sides[row]} hand" if part.sides[row] else str(part.identities[row])
    return Thumbnail(part.paths[row], kind, f"{caption}\n{hand}")
