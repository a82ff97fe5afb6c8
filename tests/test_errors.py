"""What messages are made of: the nearest name, names that are safe to print, paths as a shell takes them."""

from handnet.errors import count_and_name, format_unknown, name_few, printable, quote, show_value


def test_an_unknown_name_gets_the_nearest_and_all_valid_ones() -> None:
    message = format_unknown("loss", "triplett", ["triplet", "contrastive"])
    assert message == "Unknown loss 'triplett'. Did you mean 'triplet'? Valid: contrastive, triplet."
    assert format_unknown("loss", "xyz", ["triplet"]) == "Unknown loss 'xyz'. Valid: triplet."


def test_nothing_that_is_printed_steers_the_terminal() -> None:
    assert printable("a\x1b[31m\nb\u202e") == "a\\x1b[31m\\nb\\u202e"
    assert printable("Jürgen, 手") == "Jürgen, 手"
    assert name_few(["a\x07", "b", "c", "d"]) == "a\\x07, b, c, …"
    assert count_and_name(["a"], "person", "people") == "1 person (a)"
    assert count_and_name(["p"] * 1_234, "person", "people") == "1,234 people (p, p, p, …)"


def test_a_path_is_quoted_where_a_shell_needs_it() -> None:
    assert quote("runs/first") == "runs/first"
    assert quote("my runs/first") == "'my runs/first'"


def test_a_long_value_is_shortened() -> None:
    assert show_value("3") == "'3'"
    shown = show_value("9" * 5_000)
    assert shown.endswith("… (5,002 characters)")
    assert len(shown) < 160
    # repr itself raises there.
    assert show_value(10**5_000) == "a whole number of more than 4,300 digits"
