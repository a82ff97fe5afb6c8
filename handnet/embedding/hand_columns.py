"""What is known of the hands in photos as columns of a file of vectors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.images.seen_hand import SeenHand


def list_hands(hands: Sequence[SeenHand]) -> dict[str, npt.NDArray[Any]]:
    """Return what is known of hands as columns, by the names of `HAND_COLUMNS`; of no hands none."""
    return {name: np.array([read(hand) for hand in hands]) for name, read in HAND_COLUMNS.items()} if hands else {}


# What a file of vectors says of the hand of each photo. Not the labels: those are what its owner says.
HAND_COLUMNS: Mapping[str, Callable[[SeenHand], str | float]] = {
    "hand_scores": lambda hand: hand.score,
    "seen_sides": lambda hand: hand.side,
    "seen_views": lambda hand: hand.view,
    "seen_confidences": lambda hand: hand.confidence,
    "qualities": lambda hand: hand.quality,
}
