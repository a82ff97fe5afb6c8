"""Names and hands as users give them."""

import pytest

from handnet.errors import ConfigError
from handnet.gallery.records import MAX_NAME_CHARACTERS, HandKind, check_kind, clean_name


def test_blanks_in_names_are_made_one() -> None:
    assert clean_name("  Ada \t Lovelace ") == "Ada Lovelace"
    assert clean_name("Jose\u0301") == "Jos\u00e9", "as macOS names folders, and as keyboards write it"
    assert len(clean_name("é" * MAX_NAME_CHARACTERS)) == MAX_NAME_CHARACTERS


@pytest.mark.parametrize("name", ["", " \n ", "x" * (MAX_NAME_CHARACTERS + 1), "a\x1b[31mb", "a\u202eb"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="must be 1 to .* printable characters") as caught:
        clean_name(name)
    assert str(caught.value).isprintable()


def test_a_hand_is_named_by_known_words_or_left_open() -> None:
    assert check_kind("dorsal", "") == HandKind("dorsal", "")
    with pytest.raises(ConfigError, match="`view` must be dorsal, palmar or blank. Received: 'back'"):
        check_kind("back", "left")
    with pytest.raises(ConfigError, match="`side` must be left, right or blank. Received: 'both'"):
        check_kind("palmar", "both")
