"""Rank a gallery by cosine similarity, and the figures of the published and the photo-level protocol."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.files import write_bytes
from handnet.metrics.chance import RECALL_AT, compute_chance
from handnet.metrics.checks import (
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


def summarize_ranking(ranking: Ranking) -> dict[str, Any]:
    """Return the figures of a ranking and those of chance on the same gallery.

    Args:
        ranking: at least one query.

    Returns:
        num_queries, num_gallery (the mean where galleries differ in size), mean_rank, median_rank, recall_at_1/5/10 and
        mean_average_precision (fractions), and the same figures but the counts under "chance".
    """
    chance = compute_chance(ranking.num_gallery, ranking.num_relevant)
    sizes = np.unique(ranking.num_gallery)
    num_gallery = int(sizes[0]) if len(sizes) == 1 else float(np.mean(ranking.num_gallery))
    figures: dict[str, Any] = {"num_queries": len(ranking.ranks), "num_gallery": num_gallery}
    figures["mean_rank"] = float(np.mean(ranking.ranks))
    figures["median_rank"] = float(np.median(ranking.ranks))
    figures |= {f"recall_at_{k}": float(np.mean(ranking.ranks <= k)) for k in RECALL_AT}
    figures["mean_average_precision"] = float(np.mean(ranking.average_precisions))
    figures["chance"] = {
        "mean_rank": chance.mean_rank,
        "median_rank": chance.median_rank,
        **{f"recall_at_{k}": chance.recall_at(k) for k in RECALL_AT},
        "mean_average_precision": chance.mean_average_precision,
    }
    return figures


def compute_retrieval(embeddings: npt.ArrayLike, identities: Labels, views: Labels) -> dict[str, Any]:
    """Return the figures of cross-view retrieval between people and between photos, both ways, with chance.

    `person`: all photos of a person in a view averaged into one vector, one query against the vectors of all people;
    people with both views only. `photo`: each photo of a person with both views against every photo of the other view,
    those of people with that view alone included.

    Args:
        embeddings: float (N, D), unit norm.
        identities: (N,) person of each photo.
        views: (N,) "dorsal" or "palmar".

    Returns:
        {"person" | "photo": {"dorsal_to_palmar" | "palmar_to_dorsal": `summarize_ranking`'s figures}}.

    Raises:
        EvaluationError: NaN or unnormalised embeddings, mismatched lengths, fewer than two people with both views.
    """
    vectors, people, sides = _check_part(embeddings, identities, views)
    keep = np.isin(people, find_two_view_people(people, sides))
    result: dict[str, Any] = {}
    templates = {v: average_by_identity(vectors[keep & (sides == v)], people[keep & (sides == v)]) for v in set(sides)}
    photos = {v: (vectors[sides == v], people[sides == v]) for v in set(sides)}
    asking = {v: (vectors[keep & (sides == v)], people[keep & (sides == v)]) for v in set(sides)}
    for level, asked, entries in (("person", templates, templates), ("photo", asking, photos)):
        figures: dict[str, Any] = {}
        for direction in DIRECTIONS:
            source, _, target = direction.split("_")
            ranking = rank_queries(asked[source][0], entries[target][0], asked[source][1], entries[target][1])
            figures[direction] = summarize_ranking(ranking)
        result[level] = figures
    return result


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
        EvaluationError: as `compute_retrieval`.
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


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write the metrics as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        metrics: nested mappings, lists, text and finite numbers; numpy scalars and arrays are written as numbers.

    Raises:
        EvaluationError: a value that JSON cannot hold (NaN, an object).
        DiskError: a folder that cannot be written.
    """
    try:
        text = json.dumps(metrics, indent=2, allow_nan=False, default=_to_plain)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"Metrics must be finite numbers and text. Received: {error}.") from error
    write_bytes(Path(path), (text + "\n").encode("utf-8"))


def _to_plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} in the metrics")
