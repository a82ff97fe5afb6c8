"""What every reader returns: the photos, the whole table behind them, and what was wrong with either."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handnet.data.example import VIEWS, Example
from handnet.errors import DataError, count_and_name, name_few


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """Two photos of which a data set says whether they show one person.

    Attributes:
        first: absolute path of a photo.
        second: absolute path of another photo.
        same: whether both show one person (or class).
        group: which part of the data set's own protocol the pair belongs to, as "train" or "3"; "" where it has none.
    """

    first: str
    second: str
    same: bool
    group: str = ""


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
        notes: one line for each thing that the reader concluded from what it found, e.g. that folders name views.
        pairs: the pairs of photos that the data set itself names, in file order; all their photos are in `examples`.
        without_hand: the photos that were left out because they show no hand, as paths from `directory`.
    """

    name: str
    directory: str
    examples: list[Example]
    rows: list[Example]
    problems: tuple[str, ...] = ()
    pairs: tuple[PhotoPair, ...] = ()
    notes: tuple[str, ...] = ()
    without_hand: tuple[str, ...] = ()

    @property
    def all_identities(self) -> list[str]:
        """The distinct people of the whole table in order of first appearance, photos or none."""
        return distinct_identities(self.rows)

    @property
    def identities(self) -> list[str]:
        """The distinct people who have at least one usable photo, in order of first appearance."""
        return distinct_identities(self.examples)


def leave_out(dataset: DataSet, paths: Collection[str]) -> DataSet:
    """Return a data set without some of its photos, which show no hand, and with a line that says so."""
    absent = [example.path for example in dataset.examples if example.path in paths]
    if not absent:
        return dataset
    names = [os.path.relpath(path, dataset.directory) for path in absent]
    problem = f"{len(absent):,} of {len(dataset.examples):,} photos show no hand and are left out ({name_few(names)})."
    return replace(
        dataset,
        examples=[example for example in dataset.examples if example.path not in paths],
        problems=(*dataset.problems, problem),
        pairs=tuple(pair for pair in dataset.pairs if pair.first not in paths and pair.second not in paths),
        without_hand=(*dataset.without_hand, *names),
    )


def leave_known_out(dataset: DataSet, trained_on: Mapping[str, Any]) -> DataSet:
    """Return a data set without the photos that a run has left out of it; another data set as it is.

    Args:
        dataset: the photos.
        trained_on: what run.json says of the run's data.
    """
    if os.path.realpath(dataset.directory) != trained_on["directory"]:
        return dataset
    return leave_out(dataset, {os.path.join(dataset.directory, name) for name in trained_on.get("without_hand", ())})


def distinct_identities(examples: Iterable[Example]) -> list[str]:
    """Return the distinct identities in order of first appearance."""
    return list(dict.fromkeys(example.identity for example in examples))


def people_with_both_views(examples: Sequence[Example]) -> list[str]:
    """Return the people who have a dorsal and a palmar photo, in order of first appearance."""
    dorsal = {example.identity for example in examples if example.view == "dorsal"}
    palmar = {example.identity for example in examples if example.view == "palmar"}
    return [identity for identity in distinct_identities(examples) if identity in dorsal and identity in palmar]


def has_views(examples: Sequence[Example]) -> bool:
    """Return whether any photo says its view; data sets of faces and things have none."""
    return any(example.view for example in examples)


def has_one_view(examples: Sequence[Example]) -> bool:
    """Return whether all photos are of one view, backs alone or palms alone."""
    return len({example.view for example in examples}) == 1 and has_views(examples)


def forget_views(dataset: DataSet) -> DataSet:
    """Return a data set without its views: where all are the same they tell nothing, and photos are matched with one another."""
    examples = [replace(example, view="") for example in dataset.examples]
    return replace(dataset, examples=examples, rows=[replace(row, view="") for row in dataset.rows])


def people_to_match(examples: Sequence[Example]) -> list[str]:
    """Return the people of whom two photos can be matched: with both views, or, without views, with two photos."""
    if has_views(examples):
        return people_with_both_views(examples)
    counts = Counter(example.identity for example in examples)
    return [identity for identity in distinct_identities(examples) if counts[identity] > 1]


def halve_views(examples: Sequence[Example]) -> list[str]:
    """Return the view of each photo; without views, a person's photos are called dorsal and palmar in turn.

    So what asks with one view and searches the other asks with half of a person's photos and searches the other half.
    """
    if has_views(examples):
        return [example.view for example in examples]
    seen: Counter[str] = Counter()
    halves = []
    for example in examples:
        halves.append(VIEWS[seen[example.identity] % 2])
        seen[example.identity] += 1
    return halves


def require_both_views(examples: Sequence[Example], purpose: str) -> tuple[list[Example], str]:
    """Keep the photos of people who can be matched: with both views, or, without views, with two photos or more.

    Args:
        examples: labelled photos.
        purpose: what they are needed for, for the message, as "Training".

    Returns:
        The kept examples in their order, and one line that says who was left out ("" where nobody was).

    Raises:
        DataError: fewer than two people remain.
    """
    both = set(people_to_match(examples))
    dropped = [identity for identity in distinct_identities(examples) if identity not in both]
    needed, lacking = ("a dorsal and a palmar photo", "view") if has_views(examples) else ("two photos", "photo")
    if len(both) < 2:
        advice = (
            " All photos are of one view: to match those with one another, give --set loss.options.views=any."
            if has_one_view(examples)
            else ""
        )
        raise DataError(
            f"{purpose} needs at least 2 people with {needed} each. Received: {len(both)} such "
            f"{'person' if len(both) == 1 else 'people'} among {len(both) + len(dropped)}.{advice}"
        )
    who = count_and_name(dropped, "person", "people")
    note = f"{purpose}: left out {who} with one {lacking} only." if dropped else ""
    return [example for example in examples if example.identity in both], note


def normalise_identity(text: str) -> str:
    """Return the one spelling of a person's id: 0, "0 ", "0.0" and "0000000" all become "0000000".

    Copies of HandInfo.csv differ in leading zeros, trailing spaces and in ids that a spreadsheet made numbers. Names differ
    in their Unicode form, which depends on the system that wrote them: here they are in the form NFC, on one line.
    """
    stripped = " ".join(unicodedata.normalize("NFC", text).splitlines()).strip()
    number = re.fullmatch(r"([0-9]+)(?:\.0+)?", stripped)
    return number.group(1).lstrip("0").zfill(7) if number else stripped


# Other names of the column that says who is seen, in any table.
IDENTITY_COLUMNS = (
    "person",
    "subject",
    "id",
    "person_id",
    "subject_id",
    "identity_id",
    "participant",
    "user",
    "label",
    "class",
)
