"""The report's error browser: photos of what was confused with what."""

from collections.abc import Mapping, Sequence
from typing import Any

from handnet.evaluation.report.render import Thumbnail
from handnet.metrics.confusions import find_look_alikes
from handnet.metrics.embedded import EmbeddedPart


def show_worst_queries(
    part: EmbeddedPart, worst: Sequence[Mapping[str, Any]]
) -> list[tuple[Thumbnail, Thumbnail, list[Thumbnail]]]:
    """Return the photos whose person was found last, each with its true match and the nearest wrong people.

    Args:
        part: the photos.
        worst: one direction of "worst_queries" in metrics.json: rows of the part.
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
        rows.append((query, true, wrong))
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
    hand = f"{part.identities[row]} {part.sides[row]}".rstrip()
    return Thumbnail(part.paths[row], kind, f"{caption}\n{hand}")
