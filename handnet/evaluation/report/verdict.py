"""The report in three sentences: how good, what it relies on, which threshold."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """What a reader should know who reads no further.

    Attributes:
        finding: how often the right person is found from one photo, with interval and chance.
        relies_on: how much of that the background, or light and pose alone, would find.
        threshold: what a decision at the suggested threshold costs, or why there is none.
    """

    finding: str
    relies_on: str
    threshold: str


def write_verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Say in words what the figures of an evaluation come to.

    Args:
        metrics: what `evaluate_part` returned, with the key "audit" where there was one.
    """
    return Verdict(_tell_finding(metrics), _tell_basis(metrics), _tell_threshold(metrics["verification"]))


def _tell_finding(metrics: Mapping[str, Any]) -> str:
    figures = metrics["protocols"]["photo"]["dorsal_to_palmar"]
    value, chance = figures["recall_at_1"], figures["chance"]["recall_at_1"]
    low, high = figures["interval"]["recall_at_1"]
    people = metrics["part"]["num_people_both_views"]
    counted = (
        f"From one photo of the back of a hand, the palm found first is the right person's in {_of_100(value)} of 100 searches "
        f"(95 % interval {_of_100(low)}–{_of_100(high)}) among {figures['num_gallery']:,g} photos of {people} people; "
        f"guessing would be right in {_of_100(chance)}."
    )
    if low <= chance:
        return f"No better than guessing, as far as {people} people can tell. {counted}"
    return counted


def _tell_basis(metrics: Mapping[str, Any]) -> str:
    """Compare with what is found without looking at the hand, by the templates of people, dorsal → palmar."""
    model = _find_recall(metrics["protocols"])
    audit = metrics.get("audit") or {"conditions": {}}
    background = audit["conditions"].get("background", {"refused": ""})
    if "refused" not in background:
        found, chance = _find_recall(background), background["person_template"]["dorsal_to_palmar"]["chance"]
        return (
            f"With the hand painted out, the background alone finds {_of_100(found)} of 100 people where the whole photo finds "
            f"{_of_100(_find_recall(audit['conditions']['whole']))} (guessing: {_of_100(chance['recall_at_1'])}): so much of "
            "the figure may come from the place and the session and not from the hand."
        )
    pixels = (metrics.get("baselines") or {}).get("raw pixels")
    if pixels is not None:
        return (
            f"Raw pixels, without any learning, find {_of_100(_find_recall(pixels))} of 100 people where this model finds "
            f"{_of_100(model)} (all photos of a person averaged): light, pose, background and the rough shape of a hand "
            "are enough for that. The command “handnet audit” says what this model relies on."
        )
    return "What the model relies on was not examined: the command “handnet audit” does."


def _find_recall(levels: Mapping[str, Any]) -> float:
    return float(levels["person_template"]["dorsal_to_palmar"]["recall_at_1"])


def _tell_threshold(verification: Mapping[str, Any]) -> str:
    at = verification["thresholds"].get("equal_error")
    if at is None:
        return "No threshold was chosen: it takes validation people, since none may be chosen on the people whom it is tested on."
    return (
        f"To decide about two photos, take them for one person's from a similarity of {at['threshold']:.3f} on, where both "
        f"errors were equal on validation people: here {100 * at['false_accept_rate']:.1f} % of pairs of different people are "
        f"then accepted and {100 * at['false_reject_rate']:.1f} % of the pairs of one person rejected. A higher threshold "
        "lets fewer strangers in and turns more of the right people away."
    )


def _of_100(fraction: float) -> str:
    """Return how many of a hundred: one digit after the point below ten, where it matters."""
    count = 100 * fraction
    return f"{count:.0f}" if count >= 9.95 or count == 0 else f"{count:.1f}"
