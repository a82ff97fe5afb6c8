"""Open-set identification: the hand may belong to nobody in the gallery."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people
from handnet.metrics.intervals import NUM_REPLICATES, draw_people, shift_interval
from handnet.metrics.pairs.verification import refuse_rate
from handnet.metrics.ranking import TIE_TOLERANCE, average_by_identity

FALSE_POSITIVE_RATES = (0.3, 0.1, 0.01)
REPETITIONS = 20
_NUM_BINS = 300

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
        seed: random seed for who is enrolled.
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


def summarize_open_set(searches: OpenSetScores, num_replicates: int = NUM_REPLICATES, seed: int = 0) -> dict[str, Any]:
    """Return FNIR at given FPIR, with chance and intervals over people.

    FPIR: the fraction of searches of people who are not enrolled whose best entry reaches the threshold. FNIR: the
    fraction of searches of enrolled people whose own entry is not the best or does not reach it. The threshold is the
    lowest that keeps FPIR on the searches themselves.

    Args:
        searches: of at least two people.
        num_replicates: bootstrap replicates.
        seed: random seed for the bootstrap.

    Returns:
        num_people, num_gallery, num_searches, false_negative_rate: {FPIR: FNIR}, thresholds, interval, refused: {FPIR:
        reason}; chance: a random best entry, passed at random.

    Reference:
        Grother, Ngan and Hanaoka, Face Recognition Vendor Test Part 2: Identification, NISTIR 8271, 2019, section 3.1.
    """
    names, codes = np.unique(searches.people, return_inverse=True)
    refused = {rate: refuse_rate(rate, len(names), "people who are not enrolled") for rate in FALSE_POSITIVE_RATES}
    carried = [rate for rate, reason in refused.items() if not reason]
    points = [_miss(searches, rate) for rate in carried]
    replicates = _bootstrap(searches, codes, carried, num_replicates, seed)
    keys = [f"{rate:g}" for rate in carried]
    return {
        "num_people": len(names),
        "num_gallery": searches.num_gallery,
        "num_searches": len(searches.scores),
        "false_negative_rate": {key: point[0] for key, point in zip(keys, points, strict=True)},
        "thresholds": {key: point[1] for key, point in zip(keys, points, strict=True)},
        "interval": {
            key: shift_interval(values, exact) for key, values, (exact, _) in zip(keys, replicates, points, strict=True)
        },
        "refused": {f"{rate:g}": reason for rate, reason in refused.items() if reason},
        "chance": {key: 1.0 - rate / searches.num_gallery for key, rate in zip(keys, carried, strict=True)},
    }


def _miss(searches: OpenSetScores, rate: float) -> tuple[float, float]:
    """Return FNIR at the lowest threshold that keeps FPIR, and that threshold (2 where only no score at all keeps it)."""
    strangers = np.sort(searches.scores[~searches.enrolled])[::-1]
    known = searches.scores[searches.enrolled]
    rival = strangers[int(rate * len(strangers) + 1e-9)]
    passing = known[known > rival]
    hits = np.sum(searches.found[searches.enrolled] & (known > rival))
    return float(1.0 - hits / len(known)), float(passing.min(initial=2.0))


def _bootstrap(
    searches: OpenSetScores, codes: npt.NDArray[np.intp], rates: list[float], num_replicates: int, seed: int
) -> list[Array]:
    """Return FNIR at each rate, of everybody once and of each replicate, from scores in bins of the strangers' quantiles.

    The two pseudo-people are among the enrolled: one is always found, one never.
    """
    strangers = searches.scores[~searches.enrolled]
    edges = np.unique(np.quantile(strangers, 1.0 - np.geomspace(1e-3, 1.0, _NUM_BINS)))
    bins = len(edges) - np.searchsorted(edges, searches.scores, side="right")
    num_people, num_bins = int(codes.max()) + 1, len(edges) + 1
    passed, hits = np.zeros((num_people, num_bins)), np.zeros((num_people + 2, num_bins))
    np.add.at(passed, (codes[~searches.enrolled], bins[~searches.enrolled]), 1.0)
    np.add.at(hits, (codes[searches.found], bins[searches.found]), 1.0)
    size = float(searches.enrolled.sum()) / num_people
    hits[num_people, 0] = size
    asked = np.append(np.bincount(codes, weights=searches.enrolled, minlength=num_people), [size, size])
    once = np.append(np.ones(num_people), [0.0, 0.0])[None]
    weights = np.concatenate([once, draw_people(num_people, num_replicates, seed)])
    false = np.cumsum(weights[:, :num_people] @ passed, axis=1)
    found = np.cumsum(weights @ hits, axis=1) / np.maximum(weights @ asked, 1e-9)[:, None]
    usable = false[:, -1] > 0
    false, found = false[usable] / false[usable, -1:], found[usable]
    return [1.0 - np.array([np.interp(rate, f, h) for f, h in zip(false, found, strict=True)]) for rate in rates]
