"""The answer for two photos, from the score of a pair and a calibration."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from handnet.errors import DataError
from handnet.images.seen_hand import SeenHand, explain_unfit
from handnet.images.unusable_photos import explain_given
from handnet.metrics.pairs.calibration import Calibration, compute_probability

DISTANCE, CLASSIFIER = "distance", "pair classifier"


class Verdict(NamedTuple):
    """The answer for two photos.

    Attributes:
        same: the score is at or above the threshold.
        probability: of one person, 0..1, where one and two people are as likely before seeing the photos.
        score: cosine, or the classifier's 2 · probability - 1; -1..1.
        threshold: score at which both error rates were equal on validation people.
        system: "pair classifier" or "distance".
    """

    same: bool
    probability: float
    score: float
    threshold: float
    system: str


def decide(scores: Iterable[float], calibration: Calibration, system: str) -> list[Verdict]:
    """Decide for each score whether the two photos show one person.

    Args:
        scores: of pairs, -1..1.
        calibration: of these scores.
        system: what they are from.
    """
    listed = np.asarray(list(scores))
    threshold = calibration.equal_error_threshold
    return [
        Verdict(bool(score >= threshold), float(probability), float(score), threshold, system)
        for score, probability in zip(listed, compute_probability(calibration, listed), strict=True)
    ]


def refuse_unfit(paths: Sequence[str], hands: Sequence[SeenHand | None]) -> None:
    """Refuse photos of several hands, or of too little of one: the answer might be about anybody.

    Args:
        paths: files.
        hands: what is seen of the surest hand of each; None where that is not known.

    Raises:
        DataError: such photos.
    """
    problems = {path: why for path, hand in zip(paths, hands, strict=True) if (why := explain_unfit(hand))}
    if problems:
        raise DataError(explain_given(problems, len(set(paths))))
