"""Missing views and sides, filled from what the photos show; a label that is given is never changed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

from handnet.data.dataset import has_views
from handnet.data.example import Example

# A view is filled from this probability on.
LEAST_CONFIDENCE = 0.8
# The attribute that says what was filled.
FILLED = "filled"


class HandInPhoto(NamedTuple):
    """Which hand a photo shows.

    Attributes:
        view: "dorsal" or "palmar".
        confidence: its probability, 0.5..1.
        thumb_right: the thumb is on the right when the fingers point up.
    """

    view: str
    confidence: float
    thumb_right: bool


# Paths of photos -> which hand each shows; None where it shows none, or several.
See = Callable[[Sequence[str]], Sequence[HandInPhoto | None]]


def fill_missing(examples: Sequence[Example], see: See) -> tuple[list[Example], list[str]]:
    """Fill the views and sides that are missing.

    The thumb says which hand it is once the view is known, and which view once the hand is: a label that is given decides, and
    only where both are missing is the view taken from the photo, if it is certain enough. Where no photo has a view and all would
    get the same, views stay open: photos of a person are then matched with one another.

    Args:
        examples: labelled photos.
        see: tells which hand photos show; asked about those that lack a label, if there are any.

    Returns:
        The examples in their order, those that were filled with the attribute `filled`; and lines that say how many.
    """
    lacking = [row for row, example in enumerate(examples) if not (example.view and example.side)]
    if not lacking:
        return list(examples), []
    seen = dict(zip(lacking, see([examples[row].path for row in lacking]), strict=True))
    if not any(seen.values()):
        return list(examples), []
    filled = [
        _fill(example, hand) if (hand := seen.get(row)) is not None else example for row, example in enumerate(examples)
    ]
    if not has_views(examples) and len({example.view for example in filled if example.view}) == 1:
        return list(examples), [
            f"all photos seem to be {next(e.view for e in filled if e.view)}: views are not filled."
        ]
    return filled, _describe(examples, filled, [hand for hand in seen.values() if hand is not None])


def _fill(example: Example, hand: HandInPhoto) -> Example:
    view, side = example.view, example.side
    if not view and side:
        view = "palmar" if (side == "right") == hand.thumb_right else "dorsal"
    elif not view and hand.confidence >= LEAST_CONFIDENCE:
        view = hand.view
    if not side and view:
        side = "right" if (view == "palmar") == hand.thumb_right else "left"
    names = [
        name for name, before, after in (("view", example.view, view), ("side", example.side, side)) if before != after
    ]
    if not names:
        return example
    return replace(example, view=view, side=side, attributes={**example.attributes, FILLED: " and ".join(names)})


def _describe(before: Sequence[Example], after: Sequence[Example], hands: Sequence[HandInPhoto]) -> list[str]:
    views = sum(old.view != new.view for old, new in zip(before, after, strict=True))
    sides = sum(old.side != new.side for old, new in zip(before, after, strict=True))
    left = sum(not (example.view and example.side) for example in after)
    confidences = [hand.confidence for hand in hands]
    line = (
        f"filled from the photos: the view of {views:,} and the side of {sides:,} photos (confidence {min(confidences):.0%} to "
        f"{max(confidences):.0%}, median {median(confidences):.0%}). data.fill_labels=false leaves them open."
    )
    more = f"{left:,} stay open: no hand is found in them, several are, or the view is less certain than {LEAST_CONFIDENCE:.0%}."
    return [line, more] if left else [line]
