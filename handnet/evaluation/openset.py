"""Open-set identification: the hand may belong to nobody in the gallery."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.evaluation.checks import find_two_view_people
from handnet.evaluation.intervals import NUM_REPLICATES, draw_weights, find_interval
from handnet.evaluation.part import EmbeddedPart
from handnet.evaluation.retrieval import TIE_TOLERANCE, average_by_identity
from handnet.evaluation.verification import refuse_rate

FALSE_POSITIVE_RATES = (0.3, 0.1, 0.01)
REPETITIONS = 20
_BLOCK_CELLS = 1 << 22

Array = npt.NDArray[np.float64]


class OpenSetScores(NamedTuple):
    """The searches of all repetitions, one after another.

    Attributes:
        scores: (N,) similarity of the best gallery entry.
        found: (N,) true where that entry is the right person's; never for people who are not enrolled.
        enrolled: (N,) whether the person was enrolled in that repetition.
        people: (N,) whose photo it was.
        num_gallery: people enrolled in each repetition.
    """

    scores: npt.NDArray[np.float32]
    found: npt.NDArray[np.bool_]
    enrolled: npt.NDArray[np.bool_]
    people: npt.NDArray[np.str_]
    num_gallery: int


def search_open_set(
    part: EmbeddedPart, direction: str = "dorsal_to_palmar", seed: int = 0, repetitions: int = REPETITIONS
) -> OpenSetScores:
    """Enrol a random half of the people and search for every photo of the other view, enrolled or not.

    The gallery holds one template (all photos averaged) of the target view for each enrolled person; people with both
    views take part. Where a wrong entry ties with the right one, the wrong one was found.

    Args:
        part: the photos.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        seed: of who is enrolled.
        repetitions: draws of the half.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    generator = np.random.default_rng(seed)
    source, _, target = direction.split("_")
    people = find_two_view_people(part.identities, part.views)
    keep = np.isin(part.identities, people)
    asking = part.select(keep & (part.views == source))
    answering = part.select(keep & (part.views == target))
    gallery, names = average_by_identity(answering.embeddings, answering.identities)
    own = np.searchsorted(names, asking.identities)
    similarities = asking.embeddings @ gallery.T
    right = similarities[np.arange(len(own)), own]
    wrong = similarities.copy()
    wrong[np.arange(len(own)), own] = -np.inf
    scores, found, enrolled = [], [], []
    num_gallery = max(1, len(names) // 2)
    for _ in range(repetitions):
        chosen = np.zeros(len(names), dtype=bool)
        chosen[generator.permutation(len(names))[:num_gallery]] = True
        rival = np.where(chosen, wrong, -np.inf).max(axis=1)
        present = chosen[own]
        scores.append(np.where(present, np.maximum(right, rival), rival))
        found.append(present & (right > rival + TIE_TOLERANCE))
        enrolled.append(present)
    return OpenSetScores(
        np.concatenate(scores),
        np.concatenate(found),
        np.concatenate(enrolled),
        np.tile(asking.identities, repetitions),
        num_gallery,
    )


def summarize_open_set(
    searches: OpenSetScores, num_replicates: int = NUM_REPLICATES // 2, seed: int = 0
) -> dict[str, Any]:
    """Return FNIR at given FPIR, with chance and intervals over people.

    FPIR: the fraction of searches of people who are not enrolled whose best entry reaches the threshold. FNIR: the
    fraction of searches of enrolled people whose own entry is not the best or does not reach it. The threshold is the
    lowest that keeps FPIR on the searches themselves.

    Args:
        searches: of at least two people.
        num_replicates: bootstrap replicates.
        seed: of the bootstrap.

    Returns:
        num_people, num_gallery, num_searches, false_negative_rate: {FPIR: FNIR}, thresholds, interval, refused: {FPIR:
        reason}; chance: a random best entry, passed at random.

    Reference:
        Grother, Ngan and Hanaoka, Face Recognition Vendor Test Part 2: Identification, NISTIR 8271, 2019, section 3.1.
    """
    names, codes = np.unique(searches.people, return_inverse=True)
    refused = {rate: refuse_rate(rate, len(names), "people who are not enrolled") for rate in FALSE_POSITIVE_RATES}
    carried = [rate for rate, reason in refused.items() if not reason]
    # Two pseudo-people join the enrolled ones, as in intervals.bootstrap_means: one always found, one never.
    order = np.concatenate([[-2], np.argsort(-searches.scores, kind="stable"), [-1]])
    scores = np.append(searches.scores, np.array([2, -2], np.float32))[order]
    codes = np.append(codes, [len(names), len(names) + 1])[order]
    stranger = np.append(~searches.enrolled, [False, False])[order]
    found = np.append(searches.found, [True, False])[order]
    size = searches.enrolled.sum() / len(names)
    unit = np.ones(len(scores))
    unit[[0, -1]] = 0.0
    points = [_miss(unit[None], scores, stranger, found, rate) for rate in carried]
    unit[[0, -1]] = size
    weights = draw_weights(len(names) + 2, num_replicates, seed)
    replicates = [np.empty(num_replicates) for _ in carried]
    rows = max(1, _BLOCK_CELLS // len(scores))
    for first in range(0, num_replicates, rows):
        drawn = weights[first : first + rows][:, codes] * unit
        for column, rate in zip(replicates, carried, strict=True):
            column[first : first + rows] = _miss(drawn, scores, stranger, found, rate)[0]
    keys = [f"{rate:g}" for rate in carried]
    return {
        "num_people": len(names),
        "num_gallery": searches.num_gallery,
        "num_searches": len(searches.scores),
        "false_negative_rate": {key: float(point[0][0]) for key, point in zip(keys, points, strict=True)},
        "thresholds": {key: float(point[1][0]) for key, point in zip(keys, points, strict=True)},
        "interval": {
            key: find_interval(column[np.isfinite(column)]).tolist()
            for key, column in zip(keys, replicates, strict=True)
        },
        "refused": {f"{rate:g}": reason for rate, reason in refused.items() if reason},
        "chance": {key: 1.0 - rate / searches.num_gallery for key, rate in zip(keys, carried, strict=True)},
    }


def _miss(
    weights: Array,
    scores: npt.NDArray[np.float32],
    stranger: npt.NDArray[np.bool_],
    found: npt.NDArray[np.bool_],
    rate: float,
) -> tuple[Array, Array]:
    """Return FNIR and threshold of each row of weights; scores fall from left to right, from the one always found."""
    passed = np.cumsum(weights * stranger, axis=1)
    # A threshold takes in everything of its own score: only the last of equal scores is a place to stop.
    last = np.append(scores[1:] != scores[:-1], True)
    allowed = (passed <= rate * passed[:, -1:] + 1e-9) & last
    stop = len(scores) - 1 - np.argmax(allowed[:, ::-1], axis=1)
    hits = np.take_along_axis(np.cumsum(weights * found, axis=1), stop[:, None], axis=1)[:, 0]
    total = (weights * ~stranger).sum(axis=1)
    missed = 1.0 - np.divide(hits, total, out=np.full_like(hits, np.nan), where=total > 0)
    return missed, scores[stop].astype(np.float64)
