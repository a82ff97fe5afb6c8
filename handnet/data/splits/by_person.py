"""Identity-disjoint splits: people (never photos) are dealt to train, val and test."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from handnet.config.split import PARTS, Split
from handnet.data.dataset import IDENTITY_COLUMNS, normalise_identity
from handnet.data.label_words import parse_part_word
from handnet.data.splits.options import check_integer, check_number, check_options
from handnet.data.table import is_missing, read_table
from handnet.errors import ConfigError, DataError, count_and_name, format_unknown, printable

NUM_PUBLISHED_PEOPLE = 189


_UNUSED = "unused"
_SYNONYMS = {"identity": IDENTITY_COLUMNS, "part": ("split", "set", "subset")}


def split_hands_cross_view(identities: Sequence[str], options: Mapping[str, object]) -> Split:
    """Deal people out as published for dorsal-to-palmar matching on 11k Hands: 128, 20 and 41 of the 189 people.

    Args:
        identities: the distinct people of the complete HandInfo.csv in file order. Another list is dealt out by the
            same rule, but is not the published split, and the split's note says so.
        options: none.

    Raises:
        ConfigError: any option.
        DataError: fewer than 10 people, which would leave the val part empty.

    Reference: the published code is `random.seed(42); random.shuffle(ids)`, then `int(0.68 * n)` and `int(0.11 * n)`;
        a private generator gives the same order without touching the global one.
    """
    check_options("hands-cross-view", options, {})
    people = list(dict.fromkeys(identities))
    if len(people) < 10:
        raise DataError(
            f'Split "hands-cross-view" needs at least 10 people. Received: {len(people)}. Use --set data.split=fractions.'
        )
    random.Random(42).shuffle(people)
    num_train, num_val = int(0.68 * len(people)), int(0.11 * len(people))
    split = _cut(people, num_train, num_val)
    if len(people) == NUM_PUBLISHED_PEOPLE:
        return split
    # A table that somebody cut down to the rows that have files gives other parts under the same name.
    note = (
        f"Not the published split: that one is defined on the complete HandInfo.csv with its {NUM_PUBLISHED_PEOPLE} "
        f"people, and these data have {len(people)}."
    )
    return replace(split, note=note)


def split_fractions(identities: Sequence[str], options: Mapping[str, object]) -> Split:
    """Deal people out by fractions after a seeded shuffle.

    Args:
        identities: distinct people in file order.
        options: `seed` (default 42), and `train`, `val`, `test`: fractions in [0, 1] that sum to 1 (default 0.8, 0.2
            and 0). A part with a fraction above 0 gets at least one person.

    Raises:
        ConfigError: an unknown option or a value out of range.
        DataError: fewer people than parts, or fewer than 2.
    """
    values = check_options("fractions", options, {"seed": 42, "train": 0.8, "val": 0.2, "test": 0.0})
    fractions = [check_number("fractions", part, values[part], 0.0, 1.0) for part in PARTS]
    if abs(sum(fractions) - 1.0) > 1e-6:
        raise ConfigError(
            f'Split "fractions": train, val and test must sum to 1. Received: {", ".join(f"{f:g}" for f in fractions)}.'
        )
    people = _shuffled("fractions", identities, values["seed"], max(2, sum(f > 0 for f in fractions)))
    counts = _apportion(len(people), fractions)
    return _cut(people, counts[0], counts[1])


def split_k_fold(identities: Sequence[str], options: Mapping[str, object]) -> Split:
    """Deal people out in k folds: one fold is the test part, the people after it are val, all others train.

    Args:
        identities: distinct people in file order.
        options: `seed` (default 42), `folds` (k, default 5, at least 2), `fold` (0 to k-1, default 0) and `val` (the
            fraction of the people outside the test fold that becomes val, in [0, 1), default 0.1). Over all values of
            `fold` each person is tested exactly once, and fold sizes differ by one at most.

    Raises:
        ConfigError: an unknown option or a value out of range.
        DataError: too few people for a test, a val (where asked for) and a train person in every fold.
    """
    values = check_options("k-fold", options, {"seed": 42, "folds": 5, "fold": 0, "val": 0.1})
    num_folds = check_integer("k-fold", "folds", values["folds"], 2)
    fold = check_integer("k-fold", "fold", values["fold"], 0, num_folds - 1)
    val_fraction = check_number("k-fold", "val", values["val"], 0.0, 1.0)
    if val_fraction == 1.0:
        raise ConfigError('Split "k-fold": val must be below 1, or nobody is left to train on. Received: 1.')
    people = _shuffled("k-fold", identities, values["seed"], max(num_folds, 2 if val_fraction == 0 else 3))
    start, stop = fold * len(people) // num_folds, (fold + 1) * len(people) // num_folds
    # The people after the fold, around the end: so val differs from fold to fold too.
    rest = people[stop:] + people[:start]
    num_val, num_train = _apportion(len(rest), [val_fraction, 1.0 - val_fraction])
    if num_train < 1 or (val_fraction > 0 and num_val < 1):
        raise DataError(
            f'Split "k-fold": {len(people)} people in {num_folds} folds leave {len(rest)} for train and val together. '
            "Use fewer folds or more people."
        )
    return Split(train=tuple(rest[num_val:]), val=tuple(rest[:num_val]), test=tuple(people[start:stop]))


def split_file(identities: Sequence[str], options: Mapping[str, object]) -> Split:
    """Read a split from a table of comma-separated text with the columns `identity` and `part`.

    Args:
        identities: distinct people of the data set. Each must be in the file, in part train, val, test or "unused";
            people of the file who are not in the data set are passed over, so that a file serves subsets too.
        options: `path`, the file; see `write_split`.

    Raises:
        ConfigError: an unknown option, or no path.
        DataError: a file that is missing or malformed, names a person twice, or lacks a person of the data set.
    """
    values = check_options("file", options, {"path": ""})
    if not isinstance(values["path"], str | Path) or not str(values["path"]):
        raise ConfigError(f'Split "file" needs `path`, the file. Received: {values["path"]!r}.')
    path = Path(values["path"])
    known = set(identities)
    spelt = {normalise_identity(identity): identity for identity in identities}
    part_of: dict[str, str] = {}
    for line, cells in read_table(path, ("identity", "part"), _SYNONYMS):
        identity, part = cells["identity"], parse_part_word(cells["part"])
        if is_missing(identity):
            raise DataError(f"{path}, line {line}: expected a person. Received: {printable(identity)!r}.")
        # A spreadsheet takes the leading zeros off numeric ids.
        person = (
            identity if identity in known else spelt.get(normalise_identity(identity), normalise_identity(identity))
        )
        if person in part_of:
            raise DataError(f"{path}, line {line}: {printable(person)} is there twice. Each person has one part.")
        if not part:
            received = printable(cells["part"].strip())
            raise DataError(f"{path}, line {line}: {format_unknown('part', received, (*PARTS, _UNUSED))}")
        part_of[person] = part
    lacking = [identity for identity in identities if identity not in part_of]
    if lacking:
        raise DataError(
            f"{path} lacks {count_and_name(lacking, 'person', 'people')} of the data set. Give each a part, or "
            f'"{_UNUSED}".'
        )
    # File order, so that writing what was read gives the same file again.
    train, val, test = (tuple(p for p, part in part_of.items() if part == name and p in known) for name in PARTS)
    return Split(train, val, test)


def _shuffled(split: str, identities: Sequence[str], seed: object, at_least: int) -> list[str]:
    people = list(dict.fromkeys(identities))
    if len(people) < at_least:
        raise DataError(
            f'Split "{split}" with these options needs at least {at_least} people. Received: {len(people)} with photos.'
        )
    random.Random(check_integer(split, "seed", seed, 0)).shuffle(people)
    return people


def _apportion(total: int, fractions: Sequence[float]) -> list[int]:
    """Return whole counts that sum to total, by largest remainder, none 0 whose fraction is not (if total allows)."""
    counts = [int(total * fraction + 1e-9) for fraction in fractions]
    by_remainder = sorted(range(len(fractions)), key=lambda i: counts[i] - total * fractions[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    for i, fraction in enumerate(fractions):
        if fraction > 0 and counts[i] == 0 and max(counts) > 1:
            counts[counts.index(max(counts))] -= 1
            counts[i] = 1
    return counts


def _cut(people: list[str], num_train: int, num_val: int) -> Split:
    return Split(
        train=tuple(people[:num_train]),
        val=tuple(people[num_train : num_train + num_val]),
        test=tuple(people[num_train + num_val :]),
    )
