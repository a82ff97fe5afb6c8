"""The report's error browser: photos of what was confused with what."""

from handnet.evaluation.report.html import build_paragraph, build_thumbnail
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.neighbours import find_look_alikes, find_worst_queries


def show_worst_queries(part: EmbeddedPart, direction: str = "dorsal_to_palmar", num_queries: int = 12) -> str:
    """Return the photos whose person was found last, each with its true match and the five nearest wrong people.

    Args:
        part: the photos.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        num_queries: people shown.
    """
    text = (
        "The dorsal photos whose person was found last, one a person: blue the query, green the nearest palm of the same "
        "person, orange the nearest palm of each of the five nearest wrong people. Numbers are cosines."
    )
    rows = []
    for confusion in find_worst_queries(part, direction, num_queries):
        query = _show(part, confusion.row, "query", f"rank {confusion.rank:,} of {confusion.num_gallery:,}")
        true = _show(part, confusion.right.row, "right", f"same {_cosine(confusion.right.similarity)}")
        wrong = [
            _show(part, neighbour.row, "wrong", f"{place}. wrong {_cosine(neighbour.similarity)}")
            for place, neighbour in enumerate(confusion.wrong, 1)
        ]
        rows.append(f'<div class="thumbs"><div class="pair">{query}{true}</div>{"".join(wrong)}</div>')
    return build_paragraph(text) + "".join(rows)


def show_look_alikes(part: EmbeddedPart, num_pairs: int = 8) -> str:
    """Return the pairs of people whose templates are the most alike.

    Args:
        part: the photos.
        num_pairs: pairs shown.
    """
    text = "Different people whose dorsal and palmar templates lie nearest to each other, by their most similar photos."
    rows = []
    for pair in find_look_alikes(part, num_pairs):
        dorsal = _show(part, pair.dorsal_row, "query", f"templates {_cosine(pair.similarity)}")
        rows.append(f'<div class="pair">{dorsal}{_show(part, pair.palmar_row, "wrong", "another person")}</div>')
    return build_paragraph(text) + f'<div class="thumbs">{"".join(rows)}</div>'


def _cosine(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _show(part: EmbeddedPart, row: int, kind: str, caption: str) -> str:
    hand = f"{part.identities[row]} {part.sides[row]}".rstrip()
    return build_thumbnail(part.paths[row], kind, f"{caption}\n{hand}")
