"""Words for the view and the side of a hand and for the parts of a split, as people write them into tables and folder names."""

import re

_VIEWS = {
    **dict.fromkeys(("dorsal", "dorsals", "dorsum", "back", "backs", "backside"), "dorsal"),
    **dict.fromkeys(("palmar", "palmars", "palm", "palms", "volar"), "palmar"),
}
_SIDES = {
    **dict.fromkeys(("left", "l", "lefthand", "lh"), "left"),
    **dict.fromkeys(("right", "r", "righthand", "rh"), "right"),
}
_FILLERS = {"hand", "hands", "of", "the", "side", "view", "photo", "photos", "image", "images"}
_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
    "unused": "unused",
}


def parse_hand_words(text: str) -> tuple[str, str] | None:
    """Return the view and the side that a text names, "" for what it leaves open; a text with other words names neither.

    Args:
        text: e.g. "dorsal left", "Back of hand", "LeftPalm", "palmar_2".

    Returns:
        ("dorsal", "left"), ("dorsal", ""), ("palmar", "left"), ("palmar", ""); None where a word is none of these, where
        there is no word of either, or where two contradict each other.
    """
    # "LeftPalm" is two words.
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    words = [word.casefold() for word in words]
    views = {_VIEWS[word] for word in words if word in _VIEWS}
    sides = {_SIDES[word] for word in words if word in _SIDES}
    unknown = [word for word in words if word not in _VIEWS and word not in _SIDES and word not in _FILLERS]
    if unknown or len(views) > 1 or len(sides) > 1 or not (views or sides):
        return None
    return next(iter(views), ""), next(iter(sides), "")


def parse_part_word(text: str) -> str:
    """Return "train", "val", "test" or "unused", whichever a text names in any case; "" where it names none."""
    return _PARTS.get(text.strip().casefold(), "")
