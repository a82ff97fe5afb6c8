"""The review of photos at enrolment: what would poison a gallery is refused or said."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from handnet.errors import ConfigError, format_unknown
from handnet.gallery.index import Hits, choose_pairing
from handnet.gallery.pairings import Matching
from handnet.gallery.photo_encoder import Embedded
from handnet.gallery.records import HandKind, Photo, Vector, describe_contradiction
from handnet.gallery.templates import build_templates
from handnet.metrics.logistic import expit

POOR_QUALITY = 0.3
HOPELESS_QUALITY = 0.1
# Cosine: another compression or size of one picture lies above; two pictures of one hand seldom do.
NEAR_DUPLICATE = 0.999
CONTRADICTION_PROBABILITY = 0.05
# A palm that is enrolled as a back lies far from every back and close to every palm, unlike any photo of the calibration people,
# and whoever has it would be named for everybody. By how much of their range of cosines, and with how many people, it is told.
STRANGE_SHARE, NUM_STRANGE = 0.1, 3
# Nearest people that the review must be given, of whom one may be the person whose photo it is.
NUM_NEAREST = NUM_STRANGE + 1


class Finding(NamedTuple):
    """What the review says of a photo.

    Attributes:
        kind: a key of the levels in LEVELS.
        message: for people.
        refuses: the photo is not enrolled for it.
    """

    kind: str
    message: str
    refuses: bool


class Candidate(NamedTuple):
    """A photo before it is enrolled.

    Attributes:
        embedded: what the model says of it.
        kind: the hand and the view that it would be enrolled by.
        vector: float32 (D,), turned as the collection's.
    """

    embedded: Embedded
    kind: HandKind
    vector: Vector


def review_photo(
    candidate: Candidate, own: Sequence[Photo], others: Hits, matching: Matching, num_people: int, level: str
) -> list[Finding]:
    """Look for what speaks against enrolling a photo.

    Args:
        candidate: the photo.
        own: photos of the person so far.
        others: nearest people other than this person, NUM_STRANGE or more where there are so many.
        matching: the calibrations.
        num_people: enrolled people.
        level: a key of LEVELS.
    """
    found = [
        *_review_quality(candidate),
        *_review_kind(candidate),
        *_review_range(candidate, others, matching),
        *_review_duplicates(candidate, own),
        *_review_own(candidate, own, matching),
        *_review_others(candidate, own, others, matching, num_people),
    ]
    actions = LEVELS[level]
    return [Finding(kind, message, actions[kind]) for kind, message in found if kind in actions]


def check_level(level: str) -> str:
    """Return a level's name.

    Raises:
        ConfigError: there is no such level.
    """
    if level not in LEVELS:
        raise ConfigError(format_unknown("review level", level, LEVELS))
    return level


def _review_quality(candidate: Candidate) -> list[tuple[str, str]]:
    quality, remarks = candidate.embedded.quality, candidate.embedded.remarks
    if quality >= POOR_QUALITY and not remarks:
        return []
    text = f"poor quality ({quality:.2f} of 1{': ' if remarks else ''}{', '.join(remarks)})"
    return [("hopeless quality" if quality < HOPELESS_QUALITY else "poor quality", text)]


def _review_kind(candidate: Candidate) -> list[tuple[str, str]]:
    seen, said = candidate.embedded.kind, candidate.kind
    if differing := describe_contradiction(seen, said):
        return [("other hand", "; ".join(differing))]
    return (
        []
        if said.view and said.side
        else [("unknown hand", f"it is not known which hand, or which side of it, is shown ({said})")]
    )


def _review_range(candidate: Candidate, others: Hits, matching: Matching) -> list[tuple[str, str]]:
    num_strange = 0
    for cosine, pairing in zip(others.cosines, others.pairings, strict=True):
        fit = matching.fits[pairing]
        known = np.concatenate([fit.impostors[~np.isnan(fit.impostors)], fit.genuine])
        beyond = STRANGE_SHARE * float(np.ptp(known))
        num_strange += not known.min() - beyond <= cosine <= known.max() + beyond
    if num_strange < max(1, min(NUM_STRANGE, len(others.people))):
        return []
    return [
        (
            "strange",
            f"its similarity with {num_strange} of those enrolled or more is like none of the calibration people's: a palm given "
            f"as a back, or a back as a palm, would be taken for everybody's. Is it {candidate.kind}?",
        )
    ]


def _review_duplicates(candidate: Candidate, own: Sequence[Photo]) -> list[tuple[str, str]]:
    if own and max(float(photo.vector @ candidate.vector) for photo in own) >= NEAR_DUPLICATE:
        return [("near-duplicate", "nearly the same picture is enrolled already: it adds nothing")]
    return []


def _review_own(candidate: Candidate, own: Sequence[Photo], matching: Matching) -> list[tuple[str, str]]:
    ratio = score_own(candidate.kind, candidate.vector, own, matching)
    if ratio is None or expit(ratio) >= CONTRADICTION_PROBABILITY:
        return []
    return [("contradicts", f"it does not look like the person's other photos (probability {expit(ratio):.3f})")]


def _review_others(
    candidate: Candidate, own: Sequence[Photo], others: Hits, matching: Matching, num_people: int
) -> list[tuple[str, str]]:
    if not others.people:
        return []
    ratio = float(others.log_ratios[0])
    mine = score_own(candidate.kind, candidate.vector, own, matching)
    # One of so many people looks like everybody by chance: the ratio must outweigh that.
    probability = float(expit(ratio - np.log(max(num_people, 1))))
    if probability <= 0.5 or (mine is not None and mine >= ratio):
        return []
    return [("resembles", f"it looks like {others.people[0].name!r} (probability {probability:.2f})")]


def score_own(kind: HandKind, vector: Vector, own: Sequence[Photo], matching: Matching) -> float | None:
    """Return the log-likelihood ratio of a photo against a person's photos; None where they cannot be compared.

    Args:
        kind: of the photo.
        vector: its vector, turned as the collection's.
        own: the person's photos, without it.
        matching: the calibrations.
    """
    found = choose_pairing(matching, kind, build_templates(own))
    if found is None:
        return None
    template, _, fit = found
    return float(fit.compute_log_ratio(template.vector @ vector))


# Whether a finding refuses the photo; what a level does not name, it does not look for.
LEVELS: Mapping[str, Mapping[str, bool]] = {
    "off": {},
    "standard": {
        "hopeless quality": True,
        "poor quality": False,
        "unknown hand": False,
        "other hand": False,
        "near-duplicate": False,
        "contradicts": False,
        "strange": True,
        "resembles": False,
    },
    "strict": {
        "hopeless quality": True,
        "poor quality": True,
        "unknown hand": False,
        "other hand": True,
        "near-duplicate": True,
        "contradicts": True,
        "strange": True,
        "resembles": True,
    },
}
