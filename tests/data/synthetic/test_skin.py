"""Colours of the skin, nails and rings: what the views share and what they do not."""

from dataclasses import replace

import numpy as np

from handnet.data.synthetic import sample_person
from handnet.data.synthetic.person import Ring
from tests.data.synthetic.plain_photo import VIEW_SIDES, render


def test_ring_shows_in_both_views_of_its_hand_alone():
    ring = Ring("left", 3, 0.15, 4.0, (212, 175, 95), 0.0)
    bare, ringed = (replace(sample_person(0, 1), ring=worn) for worn in (None, ring))
    for view, side in VIEW_SIDES:
        changed = np.abs(render(bare, view, side)[0].astype(int) - render(ringed, view, side)[0]).max() > 30
        assert changed == (side == "left")


def test_polish_shows_on_the_back_and_beyond_the_tips_on_the_palm():
    plain = replace(sample_person(0, 1), polish=None)
    polished = replace(plain, polish=(178, 24, 42))
    area = {
        view: (
            np.abs(render(plain, view, "right")[0].astype(int) - render(polished, view, "right")[0]).max(2) > 40
        ).sum()
        for view in ("dorsal", "palmar")
    }
    assert area["dorsal"] > 150
    assert area["palmar"] < 0.35 * area["dorsal"]


def test_skin_tone_is_shared_by_the_views():
    tone = {}
    for view in ("dorsal", "palmar"):
        tones = []
        for index in range(12):
            photo, coverage = render(sample_person(0, index), view, "right")
            tones.append(photo[coverage > 0.99].mean())
        tone[view] = tones
    assert np.corrcoef(tone["dorsal"], tone["palmar"])[0, 1] > 0.9
