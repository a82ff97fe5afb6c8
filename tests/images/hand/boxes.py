"""A hand painted of boxes on paper, for tests that know its exact mask."""

import numpy as np

SKIN = (205.0, 150.0, 120.0)
PAPER = (250.0, 251.0, 250.0)


def paint(shape, parts):
    """Return a photo on paper with filled boxes: (top, bottom, left, right, colour)."""
    photo = np.empty((*shape, 3), np.float32)
    photo[:] = PAPER
    for top, bottom, left, right, color in parts:
        photo[top:bottom, left:right] = color
    return photo


def paint_hand(thumb_left=True, sleeve=None):
    """Return a hand of boxes: arm from the top, palm, four fingers down, thumb to one side."""
    parts = [(0, 40, 105, 135, SKIN), (35, 85, 95, 145, SKIN)]
    parts += [
        (80, end, left, left + 10, SKIN) for end, left in zip((135, 140, 134, 122), range(96, 144, 13), strict=True)
    ]
    parts.append((50, 62, 65, 96, SKIN) if thumb_left else (50, 62, 144, 175, SKIN))
    if sleeve is not None:
        parts.append((0, 14, 98, 142, sleeve))
    return paint((180, 240), parts)


def iou(a, b):
    a, b = np.asarray(a) > 0.5, np.asarray(b) > 0.5
    return (a & b).sum() / (a | b).sum()
