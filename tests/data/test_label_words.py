"""Words for views, sides and parts, as people write them."""

import pytest

from handnet.data.label_words import parse_hand_words, parse_part_word


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dorsal left", ("dorsal", "left")),
        ("Back of the hand", ("dorsal", "")),
        ("LeftPalm", ("palmar", "left")),
        ("palmar_2", ("palmar", "")),
        ("RH", ("", "right")),
        ("palms", ("palmar", "")),
        # Nothing of a hand, a word of something else, a contradiction.
        ("hand", None),
        ("", None),
        ("palm tree", None),
        ("left right", None),
        ("back of palm", None),
    ],
)
def test_a_text_says_view_and_side_or_nothing(text: str, found: tuple[str, str] | None) -> None:
    assert parse_hand_words(text) == found


@pytest.mark.parametrize(
    ("text", "part"), [(" Training ", "train"), ("dev", "val"), ("TEST", "test"), ("unused", "unused"), ("tset", "")]
)
def test_parts_have_their_usual_names(text: str, part: str) -> None:
    assert parse_part_word(text) == part
