"""Retrieval protocols: which queries, against which gallery."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people
from handnet.metrics.ranking import DIRECTIONS, Ranking, average_by_identity, rank_queries

REPETITIONS = 10
Text = npt.NDArray[np.str_]


class Outcome(NamedTuple):
    """A ranking, and whose queries they were.

    Attributes:
        ranking: one entry per query, repetitions one after another.
        people: (Q,) the person of each query.
        rows: int64 (Q,) the query's photo as a row of the part, -1 where the query is a template of several.
    """

    ranking: Ranking
    people: Text
    rows: npt.NDArray[np.int64]


def join_outcomes(outcomes: list[Outcome]) -> Outcome:
    """Return the queries of all outcomes one after another: the repetitions of a protocol, or the folds of a data set.

    Args:
        outcomes: at least one.
    """
    return Outcome(
        Ranking(
            np.concatenate([outcome.ranking.ranks for outcome in outcomes]),
            np.concatenate([outcome.ranking.average_precisions for outcome in outcomes]),
            np.concatenate([outcome.ranking.num_relevant for outcome in outcomes]),
            np.concatenate([outcome.ranking.num_gallery for outcome in outcomes]),
        ),
        np.concatenate([outcome.people for outcome in outcomes]),
        np.concatenate([outcome.rows for outcome in outcomes]),
    )


def select_queries(outcome: Outcome, kept: npt.NDArray[np.bool_]) -> Outcome:
    """Return some of the queries, their galleries as they were.

    Args:
        outcome: Q queries.
        kept: (Q,) which of them.
    """
    ranking = outcome.ranking
    return Outcome(
        Ranking(
            ranking.ranks[kept],
            ranking.average_precisions[kept],
            ranking.num_relevant[kept],
            ranking.num_gallery[kept],
        ),
        outcome.people[kept],
        outcome.rows[kept],
    )


def rank_templates(part: EmbeddedPart, direction: str, level: str = "person") -> Outcome:
    """Rank the templates of one view for each template of the other: the published protocol.

    A template is the average of all photos of a person (or hand) in a view, normalised again. Only people (hands) with
    both views take part, so that there are as many queries as gallery entries.

    Args:
        part: the photos.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        level: "person", or "hand": left and right are different identities.

    Raises:
        EvaluationError: fewer than two people (hands) with both views, or sides unknown.
    """
    asking, answering, labels = _split_views(part, direction, level, both=True)
    return _rank_averages(part, asking, answering, labels)


def rank_photos(part: EmbeddedPart, direction: str, level: str = "person") -> Outcome:
    """Rank every photo of one view for each photo of the other.

    Queries are the photos of people (hands) that have both views; the gallery is every photo of the other view, those
    of people without a query included.

    Args:
        part: the photos.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        level: "person", or "hand": the other hand of the same person is a wrong answer.

    Raises:
        EvaluationError: as `rank_templates`.
    """
    asking, answering, labels = _split_views(part, direction, level, both=False)
    return _rank_rows(part, asking, answering, labels)


def rank_small_templates(
    part: EmbeddedPart, direction: str, seed: int, num_photos: int = 3, repetitions: int = REPETITIONS
) -> Outcome:
    """Rank templates of a few photos drawn at random, again in each repetition.

    People with fewer photos in a view give all they have.

    Args:
        part: the photos.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        seed: random seed for the draws.
        num_photos: photos in a template, in queries and in the gallery.
        repetitions: draws.

    Raises:
        EvaluationError: as `rank_templates`.
    """
    generator = np.random.default_rng(seed)
    asking, answering, labels = _split_views(part, direction, "person", both=True)
    outcomes = []
    for _ in range(repetitions):
        drawn = [draw_rows(rows, labels, num_photos, generator) for rows in (asking, answering)]
        outcomes.append(_rank_averages(part, drawn[0], drawn[1], labels))
    return join_outcomes(outcomes)


def rank_one_shot(part: EmbeddedPart, direction: str, seed: int, repetitions: int = REPETITIONS) -> Outcome:
    """Rank a gallery of one random photo a person for every photo of the other view, drawn again in each repetition.

    Args:
        part: the photos.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        seed: random seed for the draws.
        repetitions: draws.

    Raises:
        EvaluationError: as `rank_templates`.
    """
    generator = np.random.default_rng(seed)
    asking, answering, labels = _split_views(part, direction, "person", both=False)
    galleries = [draw_rows(answering, labels, 1, generator) for _ in range(repetitions)]
    return join_outcomes([_rank_rows(part, asking, gallery, labels) for gallery in galleries])


def rank_same_view(part: EmbeddedPart, seed: int, repetitions: int = REPETITIONS) -> dict[str, Outcome]:
    """Re-identification within one aspect (e.g. "dorsal right") with the other aspects as distractors.

    Photos with accessories are left out. In each repetition one photo of each identity and aspect, drawn at random, is
    gallery and the others of that aspect are queries. The galleries of the other three aspects are added under
    identities of their own: the same person's other hand or view is a wrong answer.

    Args:
        part: the photos, sides known.
        seed: random seed for the draws.
        repetitions: draws.

    Returns:
        The outcome of each aspect that has queries.

    Raises:
        EvaluationError: no aspect with at least two identities and a query.

    Reference:
        Baisa et al., Hand-Based Person Identification using Global and Part-Aware Deep Feature Representation Learning,
        2022, and the data division of its code. There the first ceil(n / 2) identities of an aspect train and the others
        are tested; here everybody in the part is tested. Their mAP halves the precision of every query that is not
        answered at rank 1 (trapezoid rule on one correct entry); here average precision is 1 / rank.
    """
    generator = np.random.default_rng(seed)
    aspects = np.char.add(np.char.add(part.views, " "), part.sides)
    plain = np.array([row.get("accessories", "0") == "0" for row in part.attributes], dtype=bool)
    rows_of: dict[str, npt.NDArray[np.int64]] = {}
    for aspect in sorted(set(aspects[part.sides != ""].tolist())):
        rows = np.flatnonzero(plain & (aspects == aspect))
        rows_of[aspect] = rows
    found: dict[str, list[Outcome]] = {}
    for _ in range(repetitions):
        galleries = {aspect: draw_rows(rows, part.identities, 1, generator) for aspect, rows in rows_of.items()}
        everything = np.concatenate([*galleries.values()]) if galleries else np.zeros(0, np.int64)
        for aspect, rows in rows_of.items():
            labels = np.where(aspects == aspect, part.identities, np.char.add(aspects + " ", part.identities))
            queries = np.setdiff1d(rows, galleries[aspect])
            if len(queries) and len(galleries[aspect]) > 1:
                found.setdefault(aspect, []).append(_rank_rows(part, queries, everything, labels))
    if not found:
        raise EvaluationError(
            "Same-view retrieval needs an aspect (e.g. dorsal right) with at least two people, one of them with two "
            f"photos without accessories. Received: {len(part.views)} photos of {len(np.unique(part.identities))} "
            f"people, {int((part.sides != '').sum())} of a known side."
        )
    return {aspect: join_outcomes(outcomes) for aspect, outcomes in found.items()}


def draw_rows(
    rows: npt.NDArray[np.int64], labels: Text, num_photos: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return up to `num_photos` random rows of each identity, sorted.

    Args:
        rows: int64 (M,) rows to draw from.
        labels: (N,) the identity of every row of the part.
        num_photos: photos of each identity at most.
        generator: source of random numbers.
    """
    shuffled = generator.permutation(rows)
    _, codes = np.unique(labels[shuffled], return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], codes[order])
    return np.sort(shuffled[order][np.arange(len(order)) - starts < num_photos])


def _split_views(
    part: EmbeddedPart, direction: str, level: str, both: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Text]:
    if direction not in DIRECTIONS:
        raise EvaluationError(f"`direction` must be one of: {', '.join(DIRECTIONS)}. Received: {direction!r}.")
    if level == "hand" and (part.sides == "").any():
        raise EvaluationError(
            f"Hand-level figures need the side of every photo. Received: {int((part.sides == '').sum())} of "
            f"{len(part.sides)} photos without one."
        )
    labels = part.hands if level == "hand" else part.identities
    source, _, target = direction.split("_")
    keep = np.isin(labels, find_two_view_people(labels, part.views))
    answering = (part.views == target) & keep if both else part.views == target
    return np.flatnonzero(keep & (part.views == source)), np.flatnonzero(answering), labels


def _rank_rows(
    part: EmbeddedPart, queries: npt.NDArray[np.int64], gallery: npt.NDArray[np.int64], labels: Text
) -> Outcome:
    ranking = rank_queries(part.embeddings[queries], part.embeddings[gallery], labels[queries], labels[gallery])
    return Outcome(ranking, part.identities[queries], queries)


def _rank_averages(
    part: EmbeddedPart, queries: npt.NDArray[np.int64], gallery: npt.NDArray[np.int64], labels: Text
) -> Outcome:
    asking, names = average_by_identity(part.embeddings[queries], labels[queries])
    answering, answers = average_by_identity(part.embeddings[gallery], labels[gallery])
    _, first = np.unique(labels[queries], return_index=True)
    people = part.identities[queries][first]
    return Outcome(rank_queries(asking, answering, names, answers), people, np.full(len(names), -1, np.int64))


class Protocol(NamedTuple):
    """A protocol with its definition.

    Attributes:
        title: its name for people.
        definition: queries and gallery in one sentence.
        rank: (part, direction, seed) → outcome.
    """

    title: str
    definition: str
    rank: Callable[[EmbeddedPart, str, int], Outcome]


PROTOCOLS: dict[str, Protocol] = {
    "person_template": Protocol(
        "Person template (published)",
        "All photos of a person in one view averaged into one vector, against such vectors of the other view; people "
        "with both views.",
        lambda part, direction, seed: rank_templates(part, direction),
    ),
    "hand_template": Protocol(
        "Hand template",
        "Like person template, but each hand is an identity of its own: the other hand of the same person is wrong.",
        lambda part, direction, seed: rank_templates(part, direction, "hand"),
    ),
    "photo": Protocol(
        "Photo",
        "Each photo of one view against every photo of the other view; any photo of the same person is right.",
        lambda part, direction, seed: rank_photos(part, direction),
    ),
    "photo_hand": Protocol(
        "Photo, same hand",
        "Like photo, but only photos of the same hand are right.",
        lambda part, direction, seed: rank_photos(part, direction, "hand"),
    ),
    "three_photo_template": Protocol(
        "Three-photo template",
        f"Templates of three random photos a person and view (all where there are fewer), {REPETITIONS} draws.",
        lambda part, direction, seed: rank_small_templates(part, direction, seed),
    ),
    "one_shot": Protocol(
        "One-shot gallery",
        f"Each photo of one view against one random photo a person of the other view, {REPETITIONS} draws.",
        lambda part, direction, seed: rank_one_shot(part, direction, seed),
    ),
}
