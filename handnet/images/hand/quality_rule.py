"""What makes a photo of a hand good, usable or useless: limits for each measure, one number, one verdict in plain words.

The measures come from `handnet.images.hand.quality`, in the graph; here are the limits that they are held against, and the words.
No TensorFlow.
"""

from collections.abc import Mapping
from typing import NamedTuple

from handnet.images.hand.findings import NONE, SEVERAL

GOOD, USABLE, REFUSE = "good", "usable", "refuse"
# What refuses a photo before any measure, by what was found in it.
NOT_ONE = {NONE: "no hand was found", SEVERAL: "several hands: photograph one at a time"}


class Limit(NamedTuple):
    """What a measure is held against.

    Attributes:
        refuse: the photo must not be used from here on.
        good: from here on there is nothing to say; lower than `refuse` where a low value is the better one.
        words: what is wrong on the other side of `good`, and what to do.
    """

    refuse: float
    good: float
    words: str


class Verdict(NamedTuple):
    """What to think of a photo.

    Attributes:
        level: "good", "usable" or "refuse".
        quality: 0..1, that of its worst measure; 0 where the photo is refused, 1 where nothing is wrong.
        reasons: what is wrong, the worst first; empty for a good photo.
    """

    level: str
    quality: float
    reasons: tuple[str, ...]


# From photos of hands11k-mini made worse in steps (benchmarks/quality.py, docs/measurements/front_end.md): nothing is lost up to
# `good`, and at `refuse` a half or more of what can be matched. Three are not from accuracy: `brightness` must not refuse dark
# skin in good light (0.30 or more); `straightness` and `facing` are geometry, since no photo of the sample is bent or turned.
LIMITS: Mapping[str, Limit] = {
    "hand_score": Limit(0.90, 0.97, "it is not certain that this is a hand"),
    "palm_width_px": Limit(9.0, 20.0, "the hand is small: come closer"),
    "share": Limit(0.003, 0.02, "the hand fills little of the photo: come closer"),
    "sharpness": Limit(0.185, 0.235, "blurred: hold the camera still and let it focus"),
    "brightness": Limit(0.15, 0.30, "too dark: more light"),
    "overexposed": Limit(0.85, 0.45, "too bright or with glare: less light, and none that shines on the hand"),
    "cut_off": Limit(0.15, 0.02, "fingers are cut off by the border: show the whole hand"),
    "straightness": Limit(0.45, 0.75, "fingers are bent or hidden: open the hand"),
    "facing": Limit(0.35, 0.65, "the hand is seen from the side: show its back or its palm"),
    "certainty": Limit(0.50, 0.75, "it is not clear whether this is the back or the palm"),
}


def rate_measures(measures: Mapping[str, float]) -> Verdict:
    """Return the verdict on one hand.

    Args:
        measures: a value for each of `LIMITS`.
    """
    rates = {name: rate_measure(measures[name], limit) for name, limit in LIMITS.items()}
    reasons = tuple(LIMITS[name].words for name, rate in sorted(rates.items(), key=lambda pair: pair[1]) if rate < 1.0)
    quality = min(rates.values())
    return Verdict(REFUSE if quality <= 0.0 else USABLE if reasons else GOOD, quality, reasons)


def rate_measure(value: float, limit: Limit) -> float:
    """Return 0 (refuse) .. 1 (good), even in between; NaN is 0."""
    rate = (value - limit.refuse) / (limit.good - limit.refuse)
    return min(rate, 1.0) if rate > 0.0 else 0.0


def rate_photo(problem: str, finding: int, measures: Mapping[str, float]) -> Verdict:
    """Return the verdict on a photo.

    Args:
        problem: why it cannot be read at all, or "".
        finding: what was found in it, one of `handnet.images.hand.findings`.
        measures: of its surest hand, a value for each of `LIMITS`; not looked at where there is none.
    """
    reason = problem or NOT_ONE.get(finding, "")
    return Verdict(REFUSE, 0.0, (reason,)) if reason else rate_measures(measures)
