"""One photo of a data set and what is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

VIEWS = ("dorsal", "palmar")
SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled photo.

    Attributes:
        path: absolute path of the photo on disk.
        identity: the person (or class), normalised: equal strings mean the same person.
        view: "dorsal", "palmar", or "" where the data set has no views.
        side: "left", "right", or "" where unknown.
        attributes: everything else the data set says, as text ("gender": "female", "accessories": "1").
    """

    path: str
    identity: str
    view: str = ""
    side: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def write_label(example: Example) -> str:
    """Return what a photo is labelled with as one text, for fingerprints."""
    return f"{example.identity}|{example.view}|{example.side}"


def view_index(view: str) -> int:
    """Return the label of a view: 0 dorsal (or no view), 1 palmar."""
    return VIEWS.index(view) if view else 0
