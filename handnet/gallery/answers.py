"""What a gallery tells of its people, of its state, and of whether two hands are one person's."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.gallery.noise import Duplicate, Misplaced, SamePerson
from handnet.gallery.pairings import Pairing, PairingFit
from handnet.gallery.records import HandKind
from handnet.metrics.logistic import expit


class PersonSummary(NamedTuple):
    """A line of the list of people.

    Attributes:
        name: of the person.
        num_photos: enrolled photos.
        kinds: photos by kind of hand.
        created: UTC, ISO 8601.
        id: stays when the name changes.
    """

    name: str
    num_photos: int
    kinds: Mapping[HandKind, int]
    created: str
    id: str


class Verdict(NamedTuple):
    """Whether two hands are one person's: a photo and a person's template, or two photos.

    Where there is no answer, `problem` says why, and everything that would be one is None: a script that reads a number
    without asking must not take it for "another person".

    Attributes:
        problem: why there is no answer, or "".
        same: at or above the threshold.
        probability: of the same person, where both answers are as likely before seeing the photo; 0..1.
        log_ratio: natural log-likelihood ratio.
        similarity: cosine.
        threshold: cosine at which both error rates are equal for calibration people.
        pairing: how they were compared, in words.
        origin: where calibration and threshold come from, in words.
    """

    problem: str = ""
    same: bool | None = None
    probability: float | None = None
    log_ratio: float | None = None
    similarity: float | None = None
    threshold: float | None = None
    pairing: str = ""
    origin: str = ""


class Verification(NamedTuple):
    """Whether a photo shows an enrolled person.

    Attributes:
        photo: what was asked about, in words.
        name: of the person.
        verdict: the answer.
        remarks: what should be known about it.
    """

    photo: str
    name: str
    verdict: Verdict
    remarks: tuple[str, ...] = ()


class CheckReport(NamedTuple):
    """The state of a gallery.

    Attributes:
        damage: rows and pages that are not as they were written, one line each.
        same_people: pairs of people who may be one.
        misplaced: photos that may belong to somebody else.
        duplicates: pairs of photos that are nearly the same picture.
    """

    damage: tuple[str, ...]
    same_people: tuple[SamePerson, ...]
    misplaced: tuple[Misplaced, ...]
    duplicates: tuple[Duplicate, ...]


def decide_same(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32], pairing: Pairing, fit: PairingFit, origin: str
) -> Verdict:
    """Decide whether two vectors are one person's.

    Args:
        first: float32 (D,), unit norm.
        second: likewise, of the same collection.
        pairing: how they are compared.
        fit: its calibration.
        origin: where the calibration comes from, in words.
    """
    cosine = float(np.clip(first @ second, -1, 1))
    ratio = float(fit.compute_log_ratio(cosine))
    return Verdict(
        "",
        cosine >= fit.equal_error_threshold,
        float(expit(ratio)),
        ratio,
        cosine,
        fit.equal_error_threshold,
        str(pairing),
        origin,
    )
