"""Splits that look at photos and pairs: no pair torn apart, photos of one class in several parts, or a column of a table."""

import os
import random
from collections.abc import Mapping, Sequence

from handnet.config.split import PARTS, Split
from handnet.data.dataset import DataSet
from handnet.data.label_words import parse_part_word
from handnet.data.photo_files import escape_name
from handnet.data.splits.options import check_integer, check_number, check_options
from handnet.errors import ConfigError, DataError, count_and_name, format_unknown, printable


def split_pairs(dataset: DataSet, options: Mapping[str, object]) -> Split:
    """Deal out the people of a data set of pairs so that both people of every pair are in one part.

    People whom pairs connect, directly or over others, stay together. Where the data set has a test group of its own (View 1
    of LFW) its people are the test part, and `test` says nothing; with `fold` (View 2 of LFW) they are those of that fold,
    and those of the next fold are val.

    Args:
        dataset: with `pairs`.
        options: `seed` (default 42); `val` and `test` (default 0.15 and 0.2), fractions of the pairs in [0, 1);
            `fold` (default 0: none), from 1.

    Raises:
        ConfigError: an unknown option or a value out of range.
        DataError: no pairs, no such fold, or pairs that leave a part empty.
    """
    values = check_options("pairs", options, {"seed": 42, "val": 0.15, "test": 0.2, "fold": 0})
    seed, fold = (check_integer("pairs", name, values[name], 0) for name in ("seed", "fold"))
    val, test = (check_number("pairs", name, values[name], 0.0, 1.0) for name in ("val", "test"))
    if val + test >= 1:
        raise ConfigError(f'Split "pairs": val and test must sum to less than 1. Received: {val:g} and {test:g}.')
    if not dataset.pairs:
        raise DataError(
            f'Split "pairs" needs a data set of pairs, as the reader lfw gives. Received: {dataset.name}, which has none.'
        )
    person_of = {example.path: example.identity for example in dataset.examples}
    people_of: dict[str, list[str]] = {}
    for pair in dataset.pairs:
        people_of.setdefault(pair.group, []).extend((person_of[pair.first], person_of[pair.second]))
    groups = {group: tuple(dict.fromkeys(people)) for group, people in people_of.items()}
    if fold:
        later = str(fold % len(groups) + 1)
        if not {str(fold), later} <= groups.keys() or len(groups) < 3:
            raise DataError(f'Split "pairs": there is no fold {fold}. Folds: {", ".join(groups)}.')
        rest = tuple(p for group, people in groups.items() if group not in (str(fold), later) for p in people)
        return Split(rest, groups[later], groups[str(fold)])
    own_test = groups.pop("test", ()) if len(groups) > 1 else ()
    parts = _deal_clusters(dataset, person_of, set(own_test), {"val": val, "test": 0.0 if own_test else test}, seed)
    return Split(parts["train"], parts["val"], own_test or parts["test"])


def _deal_clusters(
    dataset: DataSet, person_of: Mapping[str, str], outside: set[str], fractions: Mapping[str, float], seed: int
) -> dict[str, tuple[str, ...]]:
    """Fill the parts one after the other with clusters of people, up to their fraction of the pairs; the rest train."""
    links = [(person_of[pair.first], person_of[pair.second]) for pair in dataset.pairs]
    links = [link for link in links if link[0] not in outside]
    clusters = find_clusters([person for person in dataset.identities if person not in outside], links)
    cluster_of = {person: number for number, people in enumerate(clusters) for person in people}
    num_pairs = [0] * len(clusters)
    for person, _ in links:
        num_pairs[cluster_of[person]] += 1
    order = list(range(len(clusters)))
    random.Random(seed).shuffle(order)
    parts: dict[str, tuple[str, ...]] = {}
    for part, fraction in fractions.items():
        taken: list[int] = []
        share = fraction * len(links)
        while order and sum(num_pairs[k] for k in taken) < share:
            # A cluster that is larger than the whole part is left to training, unless the part would be empty.
            fitting = [k for k in order if num_pairs[k] <= share]
            if taken and not fitting:
                break
            taken.append(fitting[-1] if fitting else min(order, key=num_pairs.__getitem__))
            order.remove(taken[-1])
        parts[part] = tuple(person for k in taken for person in clusters[k])
    parts["train"] = tuple(person for k in order for person in clusters[k])
    empty = [part for part in PARTS if not parts[part] and fractions.get(part, 1.0) > 0]
    if empty:
        raise DataError(
            f'Split "pairs" leaves the part {empty[0]} empty: {len(links):,} pairs in {len(clusters)} clusters of connected '
            "people. Lower val or test, or give more pairs."
        )
    return parts


def find_clusters(people: Sequence[str], links: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the groups of people whom links connect, directly or over others, in order of their first person."""
    parent = {person: person for person in people}

    def find(person: str) -> str:
        while parent[person] != person:
            parent[person] = person = parent[parent[person]]
        return person

    for one, other in links:
        parent[find(other)] = find(one)
    clusters: dict[str, list[str]] = {}
    for person in people:
        clusters.setdefault(find(person), []).append(person)
    return list(clusters.values())


def split_photos(dataset: DataSet, options: Mapping[str, object]) -> Split:
    """Deal out the photos of each person or class: every part has all classes, no part shares a photo with another.

    Figures on such a split say how well known classes are told apart, not unknown ones.

    Args:
        dataset: any.
        options: `seed` (default 42), `val` and `test` (default 0.1 and 0.2): fractions of each class's photos in [0, 1).

    Raises:
        ConfigError: an unknown option or a value out of range.
    """
    values = check_options("photos", options, {"seed": 42, "val": 0.1, "test": 0.2})
    val, test = (check_number("photos", name, values[name], 0.0, 1.0) for name in ("val", "test"))
    if val + test >= 1:
        raise ConfigError(f'Split "photos": val and test must sum to less than 1. Received: {val:g} and {test:g}.')
    rng = random.Random(check_integer("photos", "seed", values["seed"], 0))
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    photos: dict[str, list[str]] = {}
    for example in dataset.examples:
        photos.setdefault(example.identity, []).append(name_photo(dataset, example.path))
    for names in photos.values():
        rng.shuffle(names)
        num_val, num_test = round(val * len(names)), round(test * len(names))
        parts["val"] += names[:num_val]
        parts["test"] += names[num_val : num_val + num_test]
        parts["train"] += names[num_val + num_test :]
    return Split(tuple(parts["train"]), tuple(parts["val"]), tuple(parts["test"]), by="photo")


def split_column(dataset: DataSet, options: Mapping[str, object]) -> Split:
    """Take the parts from what the data set says of each photo, as from the column `split` of labels.csv.

    Photos whose cell is blank or "unused" are in no part.

    Args:
        dataset: whose examples have the attribute.
        options: `column` (default "split"), the attribute, one of train, val, test; `by` (default "identity"): "photo" allows
            one person's photos in several parts.

    Raises:
        ConfigError: an unknown option.
        DataError: no photo has the attribute, an unknown part, or, unless by photo, a person in two parts.
    """
    values = check_options("column", options, {"column": "split", "by": "identity"})
    column, by = str(values["column"]), str(values["by"])
    if by not in ("identity", "photo"):
        raise ConfigError(format_unknown('value of option by of split "column":', by, ("identity", "photo")))
    part_of: dict[str, str] = {}
    torn = []
    for example in dataset.examples:
        cell = example.attributes.get(column, "")
        part = parse_part_word(cell)
        if cell and not part:
            unknown = format_unknown("part", printable(cell), (*PARTS, "unused"))
            raise DataError(f"{printable(example.path)}, {column}: {unknown}")
        if part in ("", "unused"):
            continue
        key = example.identity if by == "identity" else name_photo(dataset, example.path)
        if part_of.setdefault(key, part) != part:
            torn.append(example.identity)
    if torn:
        people = count_and_name(list(dict.fromkeys(torn)), "person is", "people are")
        raise DataError(
            f"{people} in two parts of the column {column}. Each person belongs to one part; where photos of one class may be "
            "in several, give data.split_options.by=photo."
        )
    if not part_of:
        raise DataError(
            f"No photo of {dataset.directory} has a part in the column {column}. Expected: {', '.join(PARTS)}."
        )
    train, val, test = (tuple(key for key, part in part_of.items() if part == name) for name in PARTS)
    return Split(train, val, test, by=by)


def name_photo(dataset: DataSet, path: str) -> str:
    """Return a photo's path relative to the data set's folder, with / between folders, see `escape_name`."""
    return escape_name(os.path.relpath(path, dataset.directory)).replace(os.sep, "/")
