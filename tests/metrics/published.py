"""The published protocol and single photos, both ways, by the package itself."""

from handnet.metrics.embedded import make_part
from handnet.metrics.protocols import rank_photos, rank_templates
from handnet.metrics.ranking_summary import summarize_ranking


def compute_retrieval(embeddings, identities, views):
    """The figures of the published protocol and of photos, both ways."""
    part = make_part(embeddings, identities, views)
    return {
        level: {
            direction: summarize_ranking(rank(part, direction).ranking)
            for direction in ("dorsal_to_palmar", "palmar_to_dorsal")
        }
        for level, rank in (("person", rank_templates), ("photo", rank_photos))
    }
