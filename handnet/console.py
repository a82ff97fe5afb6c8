"""How work tells what it does: lines, and progress. The command line prints both; other callers may show or keep them."""

from collections.abc import Callable

# Prints one line.
Echo = Callable[[str], None]
# Called with (done, all).
Count = Callable[[int, int], None]
# Called with the name of a piece of work as it begins; returns what to call as it proceeds.
Progress = Callable[[str], Count]


def hide_progress(name: str) -> Count:
    """Show nothing of a piece of work: what every function does that is given no `Progress`."""
    del name
    return lambda done, total: None


def count_of(number: int, one: str, many: str = "") -> str:
    """Return "1 photo" or "1,200 photos"; give `many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
