"""What is known of the hands in photos as columns of a file of vectors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.images.hand.findings import CUT_OFF, FINDINGS, SEVERAL
from handnet.images.seen_hand import SeenHand


def list_hands(hands: Sequence[SeenHand]) -> dict[str, npt.NDArray[Any]]:
    """Return what is known of hands as columns, by the names of `HAND_COLUMNS`; of no hands none."""
    return {name: np.array([read(hand) for hand in hands]) for name, read in HAND_COLUMNS.items()} if hands else {}


def note_findings(places: Sequence[str], columns: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """Return what to know of vectors that are not of one whole hand, in words: the first photos of each kind by name.

    Args:
        places: of the M photos.
        columns: from `list_hands`, of the same photos.
    """
    notes = []
    findings = columns["findings"].tolist() if "findings" in columns else []
    for words, remark in _REMARKS.items():
        photos = [place for place, finding in zip(places, findings, strict=bool(findings)) if finding == words]
        notes += [f"{place!r}: {remark}" for place in photos[:_NUM_NAMED]]
        if len(photos) > _NUM_NAMED:
            notes.append(f"{len(photos) - _NUM_NAMED:,} more: {remark}; the column findings of the file names all")
    return notes


_NUM_NAMED = 20
_REMARKS = {
    FINDINGS[SEVERAL]: "several hands: its vector is that of the one found most surely, whoever's it is",
    FINDINGS[CUT_OFF]: f"{FINDINGS[CUT_OFF]}: its vector is that of what is left of it",
}

# What a file of vectors says of the hand of each photo. Not the labels: those are what its owner says.
HAND_COLUMNS: Mapping[str, Callable[[SeenHand], str | float]] = {
    "hand_scores": lambda hand: hand.score,
    "seen_sides": lambda hand: hand.side,
    "seen_views": lambda hand: hand.view,
    "seen_confidences": lambda hand: hand.confidence,
    "qualities": lambda hand: hand.quality,
    "findings": lambda hand: hand.finding,
}
