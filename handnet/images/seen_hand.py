"""What is seen of a hand, in numbers and words; without TensorFlow, see `handnet.images.hand_facts` for how it is computed."""

from typing import NamedTuple

from handnet.data.example import SIDES, VIEWS
from handnet.images.hand.findings import CUT_OFF, FINDINGS, SEVERAL
from handnet.images.hand.quality_rule import NOT_ONE

# Which measure it is, `handnet data check` says.
UNREADABLE = (
    "the hand is cut off, hidden, dark, glaring or blurred (quality 0): photograph all of it, sharp and evenly lit"
)
# What an exported model says of a photo that has no vector: a graph cannot tell one from the other.
UNUSABLE = "it cannot be decoded, or no hand was found in it"
# By these names it says why the photos of a pair cannot be compared, where hands are found by landmarks.
PROBLEM_OUTPUTS = ("first_problem", "second_problem")


class SeenHand(NamedTuple):
    """The facts of one photo's hand, for people.

    Attributes:
        score: 0..1, that there is a hand.
        side: "left" or "right".
        view: "dorsal" or "palmar".
        confidence: probability of view and side, 0.5..1: the thumb's place is certain, so one follows from the other.
        quality: 0 (do not use it) .. 1 (nothing is wrong).
        finding: "one hand", "several hands", of which all else is that of the surest, or "a hand cut off by the border".
    """

    score: float
    side: str
    view: str
    confidence: float
    quality: float
    finding: str


def read_facts(score: float, palmar: float, right: float, quality: float, finding: int) -> SeenHand:
    """Return the facts of a hand that was found, from the numbers of `handnet.images.hand_facts.HandFacts`."""
    return SeenHand(
        score,
        SIDES[int(right > 0.5)],
        VIEWS[int(palmar > 0.5)],
        max(palmar, 1.0 - palmar),
        quality,
        FINDINGS[finding],
    )


def describe_hand(hand: SeenHand) -> str:
    """Return one hand in words."""
    view = {"dorsal": "back", "palmar": "palm"}[hand.view]
    cut_off = ", cut off by the border" if hand.finding == FINDINGS[CUT_OFF] else ""
    certainty = f"confidence {hand.confidence:.2f}; hand {hand.score:.2f}, quality {hand.quality:.2f}"
    return f"{view} of a {hand.side} hand{cut_off} ({certainty})"


def explain_unfit(hand: SeenHand | None) -> str:
    """Return why no answer can be given for a photo, "" where one can.

    The vector of a photo of several hands is that of any one of them, and that of a photo of quality 0 tells next to nothing:
    what is said of it may be said of another person.

    Args:
        hand: what is seen of the surest hand; None where that is not known.
    """
    if hand is None:
        return ""
    if hand.finding == FINDINGS[SEVERAL]:
        return NOT_ONE[SEVERAL]
    return "" if hand.quality > 0.0 else UNREADABLE


def compare_hands(first: SeenHand, second: SeenHand) -> list[str]:
    """Return what to know of two photos that are compared: remarks in words, none where there is nothing unusual."""
    remarks = []
    if first.view == second.view:
        remarks.append(f"both photos show the {'back' if first.view == 'dorsal' else 'palm'}")
    if first.side != second.side:
        remarks.append("one photo shows a left hand, the other a right hand")
    return remarks
