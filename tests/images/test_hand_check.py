"""What the check of hands says: contradictions only against given labels, photos by finding, quality; and its sheet."""

from dataclasses import replace

import pytest

from handnet.data.example import Example
from handnet.images.finder_choice import needs_landmarks
from handnet.images.hand.findings import NONE, ONE, SEVERAL
from handnet.images.hand.quality_rule import LIMITS, NOT_ONE
from handnet.images.hand_check import MAX_NAMED, describe_hands, find_contradiction
from handnet.images.hand_sheet import choose_for_sheet, wrap_text
from handnet.images.hand_survey import Surveyed

GOOD = {name: limit.good for name, limit in LIMITS.items()}
BLURRED = GOOD | {"sharpness": (LIMITS["sharpness"].refuse + LIMITS["sharpness"].good) / 2}
USELESS = GOOD | {"sharpness": LIMITS["sharpness"].refuse}


def surveyed(finding=ONE, view="dorsal", side="right", confidence=0.99, measures=GOOD):
    return Surveyed("", finding, finding != NONE, 0.99, side, confidence, view, confidence, dict(measures))


@pytest.mark.parametrize(
    ("labels", "filled", "seen", "words"),
    [
        (("dorsal", "right"), "", ("dorsal", "right", 0.99), ""),
        (("dorsal", "right"), "", ("palmar", "left", 0.99), "labelled dorsal right, shows palmar left (99%)"),
        (("dorsal", "left"), "", ("dorsal", "right", 0.95), "labelled dorsal left, shows dorsal right (95%)"),
        (("dorsal", ""), "", ("palmar", "left", 0.99), "labelled dorsal, shows palmar (99%)"),
        (("", "left"), "", ("palmar", "right", 0.99), "labelled left, shows palmar right (99%)"),
        (("", ""), "", ("palmar", "left", 0.99), ""),
        (("dorsal", "right"), "", ("palmar", "left", 0.85), ""),
        # The side was filled from the photo with the given view: only the view can be wrong.
        (("dorsal", "left"), "side", ("palmar", "right", 0.99), "labelled dorsal, shows palmar (99%)"),
        (("palmar", "left"), "view and side", ("dorsal", "right", 0.99), ""),
    ],
)
def test_contradictions_are_of_given_labels_alone(labels, filled, seen, words):
    example = Example("a.jpg", "p", *labels, {"filled": filled} if filled else {})
    view, side, confidence = seen
    assert find_contradiction(example, surveyed(view=view, side=side, confidence=confidence)) == words


def test_each_kind_of_photo_is_counted_and_named():
    photos = {
        "good.jpg": surveyed(),
        "mislabelled.jpg": surveyed(view="palmar", side="left"),
        "table.jpg": surveyed(NONE),
        "two.jpg": surveyed(SEVERAL, view="palmar", side="left"),
        "blurred.jpg": surveyed(measures=BLURRED),
        "useless.jpg": surveyed(measures=USELESS),
        "damaged.jpg": Surveyed(problem="empty file"),
    }
    text = describe_hands([Example(path, "p", "dorsal", "right") for path in photos], list(photos.values()))
    lines = text.splitlines()
    assert lines[0] == (
        "hands: one hand in 4, no hand in 1, several hands in 1, a hand cut off by the border in 0 of 6 photos"
    )
    assert "    table.jpg" in lines
    assert "  mislabelled.jpg: labelled dorsal right, shows palmar left (99%)" in lines
    # Whose hand of the two the label is about is not known.
    assert "two.jpg: labelled" not in text
    assert "quality: good 2, usable 1, refuse 3" in lines
    assert f"  usable, 1: {LIMITS['sharpness'].words}" in lines
    assert f"    useless.jpg: {LIMITS['sharpness'].words}" in lines
    # A photo without a hand is named once.
    assert text.count("table.jpg") == 1
    assert "damaged.jpg" not in text


@pytest.mark.parametrize(("plain", "advised"), [(10, False), (8, False), (7, True), (0, True)])
def test_what_lies_behind_the_hands_is_said(plain, advised):
    photos = [replace(surveyed(), plain=row < plain) for row in range(10)] + [surveyed(NONE)]
    text = describe_hands([Example(f"{k}.jpg", "p") for k in range(11)], photos)
    assert f"ground: plain in {plain} of 10 photos with a hand" in text
    assert ("takes landmarks" in text) is advised
    # What a training does by itself (`needs_landmarks`), not what is to be set.
    assert needs_landmarks(photos) is advised


def test_without_any_hand_nothing_is_said_of_the_ground():
    assert "ground" not in describe_hands([Example("a.jpg", "p")], [surveyed(NONE)])


def test_a_long_list_is_cut():
    count = MAX_NAMED + 5
    text = describe_hands([Example(f"{k}.jpg", "p") for k in range(count)], [surveyed(NONE)] * count)
    assert text.count("… and 5 more") == 1
    assert f"    {MAX_NAMED - 1}.jpg" in text
    assert f"    {MAX_NAMED}.jpg" not in text


def test_the_sheet_shows_the_worst_and_others_spread_evenly():
    photos = [surveyed() for _ in range(40)]
    photos[7], photos[30], photos[31], photos[32] = (surveyed(NONE), *(surveyed(measures=BLURRED) for _ in range(3)))
    chosen = choose_for_sheet(photos)
    assert len(chosen) == len(set(chosen)) == 9
    assert chosen == sorted(chosen)
    assert {7, 30, 31} <= set(chosen)
    assert chosen[0] == 0
    assert chosen[-1] == 39
    assert choose_for_sheet(photos[:2]) == [0, 1]
    assert choose_for_sheet([]) == []


@pytest.mark.parametrize("words", [*(limit.words for limit in LIMITS.values()), NOT_ONE[SEVERAL]])
def test_the_verdict_is_written_whole(words):
    # About as wide as the sheet's letters are.
    rows = wrap_text(f"refuse (0.00), {words}", lambda row: 8.5 * len(row))
    assert " ".join(rows) == f"refuse (0.00), {words}"
    assert 1 <= len(rows) <= 2
    assert wrap_text("", len) == [""]
