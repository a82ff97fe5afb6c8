"""From the nearest people to an answer: probabilities, a threshold, and perhaps nobody."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from handnet.errors import EvaluationError
from handnet.gallery.identification_threshold import Threshold
from handnet.gallery.index import Hits
from handnet.gallery.pairings import Pairing
from handnet.gallery.records import Person

# Of so many people the log ratios go into the probabilities; everybody after them counts as the last of these does.
MAX_RANKED = 1000


class Match(NamedTuple):
    """One enrolled person as the answer to a search.

    Attributes:
        rank: from 1.
        name: of the person.
        person: id.
        probability: that the hand is this person's, 0..1; all matches' and nobody's together are 1.
        log_ratio: natural log-likelihood ratio of the same person.
        similarity: cosine with the template.
        pairing: how they were compared, in words.
        accepted: at or above the threshold.
    """

    rank: int
    name: str
    person: str
    probability: float
    log_ratio: float
    similarity: float
    pairing: str
    accepted: bool


class Answer(NamedTuple):
    """Who a hand belongs to.

    Attributes:
        photo: what was asked about, in words.
        problem: why the photo cannot be used, or "".
        view: of the hand, or "".
        side: of the hand, or "".
        name: who it is, or "" for nobody enrolled.
        matches: the likeliest people, best first.
        nobody: probability that the hand belongs to nobody enrolled; None where the photo cannot be used.
        prior: probability of somebody enrolled before the photo was seen.
        threshold: from which log ratio on a person is named, and where that comes from; None where no threshold can be told.
        remarks: what should be known about this answer.
        num_people: enrolled people.
        num_compared: of those, how many could be compared with this photo.
    """

    photo: str
    problem: str
    view: str
    side: str
    name: str
    matches: tuple[Match, ...]
    nobody: float | None
    prior: float
    threshold: Threshold | None
    remarks: tuple[str, ...]
    num_people: int
    num_compared: int


def rank_people(
    hits: Hits, threshold: Threshold | None, *, num_people: int, top: int, prior: float
) -> tuple[tuple[Match, ...], float]:
    """Turn hits into matches with probabilities.

    Each enrolled person is as likely as another beforehand, and together they have the prior. People who cannot be compared
    keep what they had.

    Args:
        hits: the nearest people.
        threshold: from which on a person is accepted; None: nobody is.
        num_people: enrolled.
        top: matches to return at most.
        prior: of somebody enrolled, 0..1.

    Returns:
        (matches, probability of nobody enrolled).

    Raises:
        EvaluationError: a prior that is no probability.
    """
    if not 0 < prior < 1:
        raise EvaluationError(f"`prior` must be between 0 and 1. Received: {prior}.")
    each = np.log(prior) - np.log(max(num_people, 1))
    listed = hits.log_ratios[:MAX_RANKED]
    rest = hits.num_compared - len(listed)
    evidence = [np.log1p(-prior), *(each + listed)]
    if rest:
        evidence.append(each + np.log(rest) + listed[-1])
    if num_people > hits.num_compared:
        evidence.append(each + np.log(num_people - hits.num_compared))
    total = float(logsumexp(evidence))
    matches = []
    for place in range(min(top, len(listed))):
        person = hits.people[place]
        ratio = float(listed[place])
        matches.append(
            Match(
                place + 1,
                person.name,
                person.id,
                float(np.exp(each + ratio - total)),
                ratio,
                float(hits.cosines[place]),
                str(hits.pairings[place]),
                threshold is not None and ratio >= threshold.log_ratio,
            )
        )
    return tuple(matches), float(np.exp(np.log1p(-prior) - total))


def combine_hits(all_hits: Sequence[Hits]) -> Hits:
    """Make one of several photos of one hand's owner: the mean of the log ratios of those that can be compared.

    The mean varies less than one photo's ratio, so that the threshold of one photo keeps its promise.

    Args:
        all_hits: of each photo, with all people.
    """
    rows: dict[str, list[tuple[float, float, Pairing]]] = {}
    people: dict[str, Person] = {}
    for hits in all_hits:
        for person, ratio, cosine, pairing in zip(*hits[:4], strict=True):
            rows.setdefault(person.id, []).append((float(ratio), float(cosine), pairing))
            people[person.id] = person
    means = {identifier: float(np.mean([row[0] for row in found])) for identifier, found in rows.items()}
    order = sorted(means, key=lambda identifier: -means[identifier])
    return Hits(
        [people[identifier] for identifier in order],
        np.array([means[identifier] for identifier in order]),
        np.array([np.mean([row[1] for row in rows[identifier]]) for identifier in order]),
        [max(rows[identifier])[2] for identifier in order],
        len(order),
    )
