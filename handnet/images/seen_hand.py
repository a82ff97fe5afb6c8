"""What is seen of a hand, in numbers and words; without TensorFlow, see `handnet.images.hand_facts` for how it is computed."""

from typing import NamedTuple

from handnet.data.example import SIDES, VIEWS


class SeenHand(NamedTuple):
    """The facts of one photo's hand, for people.

    Attributes:
        score: 0..1, that there is a hand.
        side: "left" or "right".
        view: "dorsal" or "palmar".
        confidence: probability of view and side, 0.5..1: the thumb's place is certain, so one follows from the other.
        quality: 0 (do not use it) .. 1 (nothing is wrong).
    """

    score: float
    side: str
    view: str
    confidence: float
    quality: float


def read_facts(score: float, palmar: float, right: float, quality: float) -> SeenHand:
    """Return the facts of a hand that was found, from the numbers of `handnet.images.hand_facts.HandFacts`."""
    return SeenHand(
        score,
        SIDES[int(right > 0.5)],
        VIEWS[int(palmar > 0.5)],
        max(palmar, 1.0 - palmar),
        quality,
    )


def describe_hand(hand: SeenHand) -> str:
    """Return one hand in words."""
    view = {"dorsal": "back", "palmar": "palm"}[hand.view]
    return f"{view} of a {hand.side} hand (confidence {hand.confidence:.2f}; hand {hand.score:.2f}, quality {hand.quality:.2f})"


def compare_hands(first: SeenHand, second: SeenHand) -> list[str]:
    """Return what to know of two photos that are compared: remarks in words, none where there is nothing unusual."""
    remarks = []
    if first.view == second.view:
        remarks.append(f"both photos show the {'back' if first.view == 'dorsal' else 'palm'}")
    if first.side != second.side:
        remarks.append("one photo shows a left hand, the other a right hand")
    return remarks
