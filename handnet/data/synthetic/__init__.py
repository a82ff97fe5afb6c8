"""Synthetic hands, drawn: people with lasting traits, photographed from both sides, in the layout of 11k Hands."""

from handnet.data.synthetic.person import HandShape, Person, Ring, sample_person
from handnet.data.synthetic.photo import draw_batch, draw_hand, draw_hand_with_mask, draw_photo
from handnet.data.synthetic.writing import write_synthetic

__all__ = [
    "HandShape",
    "Person",
    "Ring",
    "draw_batch",
    "draw_hand",
    "draw_hand_with_mask",
    "draw_photo",
    "sample_person",
    "write_synthetic",
]
