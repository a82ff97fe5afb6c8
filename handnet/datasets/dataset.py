"""What every reader returns: the photos, the whole table behind them, and what was wrong with either."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handnet.errors import DataError
from handnet.example import Example

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp")


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set as it lies on disk, nothing decoded.

    Attributes:
        name: the reader's name, as "hands11k".
        directory: absolute path of the folder that was read.
        examples: the photos that can be used, in the data set's own stable order.
        rows: every row of the table in file order, whether or not its photo is on this disk; a row's path is where the
            photo would lie. A split that was published for the whole table is computed from these.
        problems: one line for each kind of thing that was left out, with its count.
    """

    name: str
    directory: str
    examples: list[Example]
    rows: list[Example]
    problems: tuple[str, ...] = ()

    @property
    def all_identities(self) -> list[str]:
        """The distinct people of the whole table in order of first appearance, photos or none."""
        return distinct_identities(self.rows)

    @property
    def identities(self) -> list[str]:
        """The distinct people who have at least one usable photo, in order of first appearance."""
        return distinct_identities(self.examples)


def distinct_identities(examples: Iterable[Example]) -> list[str]:
    """Return the distinct identities in order of first appearance."""
    return list(dict.fromkeys(example.identity for example in examples))


def people_with_both_views(examples: Sequence[Example]) -> list[str]:
    """Return the people who have a dorsal and a palmar photo, in order of first appearance."""
    dorsal = {example.identity for example in examples if example.view == "dorsal"}
    palmar = {example.identity for example in examples if example.view == "palmar"}
    return [identity for identity in distinct_identities(examples) if identity in dorsal and identity in palmar]


def require_both_views(examples: Sequence[Example], purpose: str) -> tuple[list[Example], str]:
    """Keep the photos of people who have both views, for training or evaluation that crosses views.

    Args:
        examples: labelled photos.
        purpose: what needs both views, for the message, as "cross-view training".

    Returns:
        The kept examples in their order, and one line that says who was left out ("" where nobody was).

    Raises:
        DataError: fewer than two people remain.
    """
    both = set(people_with_both_views(examples))
    dropped = [identity for identity in distinct_identities(examples) if identity not in both]
    if len(both) < 2:
        raise DataError(
            f"{purpose} needs at least 2 people with a dorsal and a palmar photo each. Received: {len(both)} such "
            f"{'person' if len(both) == 1 else 'people'} among {len(both) + len(dropped)}."
        )
    note = f"{purpose}: left out {count_and_name(dropped, 'person', 'people')} with one view only." if dropped else ""
    return [example for example in examples if example.identity in both], note


def normalise_identity(text: str) -> str:
    """Return the one spelling of a person's id: 0, "0 ", "0.0" and "0000000" all become "0000000".

    Copies of HandInfo.csv differ in leading zeros, trailing spaces and in ids that a spreadsheet made numbers.
    """
    stripped = text.strip()
    number = re.fullmatch(r"([0-9]+)(?:\.0+)?", stripped)
    return number.group(1).lstrip("0").zfill(7) if number else stripped


def printable(text: str) -> str:
    """Return text with line breaks, escape codes and other unprintable characters written out.

    File names and table cells are somebody else's: printed raw they could recolour or overwrite a terminal.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def count_and_name(names: Sequence[str], singular: str, plural: str) -> str:
    """Return "1 person (a)" or "7 people (a, b, c, …)": the count and the first few, safe to print."""
    return f"{len(names):,} {singular if len(names) == 1 else plural} ({name_few(names)})"


def name_few(names: Sequence[str], num_named: int = 3) -> str:
    """Return "a, b, c, …": the first few names, safe to print."""
    return ", ".join(printable(name) for name in names[:num_named]) + (", …" if len(names) > num_named else "")
