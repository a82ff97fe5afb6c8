"""Rank a gallery by cosine similarity: the ranks of the right entries."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.metrics.embedding_checks import (
    FloatArray,
    Labels,
    check_embeddings,
    check_lengths,
    check_views,
    find_two_view_people,
    list_some,
    normalize_rows,
)

# Two equal vectors get cosines that differ by rounding, depending on where they stand in the matrix product. What lies
# closer than this is a tie, so that a collapsed model gets the worst rank and not a lucky one.
TIE_TOLERANCE = np.float32(1e-6)
DIRECTIONS = ("dorsal_to_palmar", "palmar_to_dorsal")
_BLOCK_CELLS = 1 << 23


@dataclass(frozen=True, slots=True)
class Ranking:
    """How each query fared against one gallery.

    Attributes:
        ranks: int64 (Q,) rank of the first correct gallery entry, from 1; ties are counted against the query.
        average_precisions: float64 (Q,) in (0, 1].
        num_relevant: int64 (Q,) correct entries in the gallery.
        num_gallery: int64 (Q,) entries of the gallery that each query met.
    """

    ranks: npt.NDArray[np.int64]
    average_precisions: npt.NDArray[np.float64]
    num_relevant: npt.NDArray[np.int64]
    num_gallery: npt.NDArray[np.int64]


def rank_queries(
    queries: FloatArray, gallery: FloatArray, query_identities: Labels, gallery_identities: Labels
) -> Ranking:
    """Rank the gallery for each query, in blocks: memory grows with the gallery, not with queries × gallery.

    A wrong entry stands before a correct one unless its cosine is lower by more than 1e-6.

    Args:
        queries: (Q, D) unit vectors.
        gallery: (G, D) unit vectors.
        query_identities: (Q,).
        gallery_identities: (G,).

    Raises:
        EvaluationError: a query whose identity is not in the gallery, or shapes that do not fit.
    """
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise EvaluationError(
            "Queries and gallery must be vectors of the same model, (Q, D) and (G, D). "
            f"Received: shapes {queries.shape} and {gallery.shape}."
        )
    check_lengths(len(queries), query_identities=query_identities)
    check_lengths(len(gallery), gallery_identities=gallery_identities)
    names, gallery_codes = np.unique(np.asarray(gallery_identities), return_inverse=True)
    order = np.argsort(gallery_codes, kind="stable")
    starts = np.searchsorted(gallery_codes[order], np.arange(len(names) + 1))
    query_codes = _encode(np.asarray(query_identities), names)
    sorted_gallery = np.ascontiguousarray(gallery[order], dtype=np.float32).T
    num_queries, num_gallery = len(queries), len(gallery)
    ranks = np.empty(num_queries, np.int64)
    precisions = np.empty(num_queries, np.float64)
    block_rows = max(1, _BLOCK_CELLS // num_gallery)
    for start in range(0, num_queries, block_rows):
        similarities = np.asarray(queries[start : start + block_rows], dtype=np.float32) @ sorted_gallery
        codes = query_codes[start : start + block_rows]
        correct = [np.sort(row[starts[c] : starts[c + 1]])[::-1] for row, c in zip(similarities, codes, strict=True)]
        for row, c in zip(similarities, codes, strict=True):
            row[starts[c] : starts[c + 1]] = -np.inf
        similarities.sort(axis=1)
        for i, (row, scores) in enumerate(zip(similarities, correct, strict=True), start):
            ordinal = np.arange(1, len(scores) + 1)
            positions = ordinal + num_gallery - np.searchsorted(row, scores - TIE_TOLERANCE, side="left")
            ranks[i] = positions[0]
            precisions[i] = np.mean(ordinal / positions)
    num_relevant = (starts[query_codes + 1] - starts[query_codes]).astype(np.int64)
    return Ranking(ranks, precisions, num_relevant, np.full(num_queries, num_gallery))


def _encode(identities: npt.NDArray[np.generic], names: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    codes = np.minimum(np.searchsorted(names, identities), len(names) - 1)
    absent = np.unique(identities[names[codes] != identities])
    if len(absent):
        if len(absent) == len(np.unique(identities)):
            raise EvaluationError(
                "No query identity appears in the gallery. "
                f"Received: queries of {list_some(absent)}; gallery of {list_some(names)}. "
                "Are these the labels of another data set, or written in another way?"
            )
        raise EvaluationError(
            f"Every query identity must appear in the gallery. Received: {len(absent)} without a gallery photo "
            f"({list_some(absent)}). Leave these queries out, or give their gallery photos."
        )
    return codes


def average_by_identity(
    embeddings: FloatArray, identities: npt.NDArray[np.generic]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.generic]]:
    """Return one unit vector per identity: the average of its unit vectors, normalised again.

    Args:
        embeddings: (N, D) unit vectors.
        identities: (N,).

    Returns:
        float32 (P, D), and the P identities, sorted.

    Raises:
        EvaluationError: vectors that cancel out.
    """
    names, codes = np.unique(identities, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names)))
    sums = np.add.reduceat(embeddings[order].astype(np.float32), starts, axis=0)
    return normalize_rows(sums), names


def compute_person_ranks(
    embeddings: npt.ArrayLike, identities: Labels, views: Labels, direction: str = "dorsal_to_palmar"
) -> npt.NDArray[np.int64]:
    """Return the rank of each person's own template, the published protocol alone: fast enough for every epoch.

    Args:
        embeddings: float (N, D), unit norm.
        identities: (N,) person of each photo.
        views: (N,) "dorsal" or "palmar".
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".

    Returns:
        int64 (P,) from 1, people with both views in sorted order.

    Raises:
        EvaluationError: NaN or unnormalised embeddings, mismatched lengths, fewer than two people with both views.
    """
    if direction not in DIRECTIONS:
        raise EvaluationError(f"`direction` must be one of: {', '.join(DIRECTIONS)}. Received: {direction!r}.")
    vectors, people, sides = _check_part(embeddings, identities, views)
    keep = np.isin(people, find_two_view_people(people, sides))
    source, _, target = direction.split("_")
    queries, _ = average_by_identity(vectors[keep & (sides == source)], people[keep & (sides == source)])
    gallery, _ = average_by_identity(vectors[keep & (sides == target)], people[keep & (sides == target)])
    block_rows = max(1, _BLOCK_CELLS // len(gallery))
    ranks = [np.empty(0, np.int64)]
    for start in range(0, len(queries), block_rows):
        similarities = queries[start : start + block_rows] @ gallery.T
        own = np.take_along_axis(similarities, np.arange(start, start + len(similarities))[:, None], axis=1)
        ranks.append(np.sum(similarities >= own - TIE_TOLERANCE, axis=1))
    return np.concatenate(ranks).astype(np.int64)


def _check_part(
    embeddings: npt.ArrayLike, identities: Labels, views: Labels
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.generic], npt.NDArray[np.str_]]:
    vectors = check_embeddings(embeddings)
    check_lengths(len(vectors), identities=identities, views=views)
    return vectors, np.asarray(identities), check_views(views)
