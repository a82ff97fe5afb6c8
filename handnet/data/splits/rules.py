"""The rules that split a data set, by name."""

from collections.abc import Callable, Mapping, Sequence

from handnet.config.split import Split
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.splits.by_person import split_file, split_fractions, split_hands_cross_view, split_k_fold
from handnet.data.splits.by_photo import name_photo, split_column, split_pairs, split_photos
from handnet.errors import ConfigError, DataError, format_unknown


def make_split(name: str, dataset: DataSet, options: Mapping[str, object] | None = None) -> Split:
    """Split a data set's people by a rule's name.

    "hands-cross-view" and "file" deal out the people of the whole table; the others the people who have photos.

    Args:
        name: a key of SPLITS or of DATASET_SPLITS.
        dataset: what a reader returned.
        options: the rule's options; see each function.

    Raises:
        ConfigError: an unknown rule or option, or a value out of range.
        DataError: too few people, or a split file that does not fit the data set.
    """
    if name in DATASET_SPLITS:
        return DATASET_SPLITS[name](dataset, options or {})
    if name not in SPLITS:
        raise ConfigError(format_unknown("split", name, [*SPLITS, *DATASET_SPLITS]))
    identities = dataset.all_identities if name in ("hands-cross-view", "file") else dataset.identities
    return SPLITS[name](identities, options or {})


def select_part(dataset: DataSet, split: Split, part: str) -> list[Example]:
    """Return the photos of one part in the data set's order.

    Raises:
        ConfigError: an unknown part.
        DataError: the part has no people, or none of its people has a photo on this disk.
    """
    people = set(split.people(part))
    if not people:
        other = (
            "Give --part val, or another split." if part == "test" and split.people("val") else "Give another split."
        )
        raise DataError(f"The {part} part of this split is empty. {other}")
    if split.by == "photo":
        examples = [example for example in dataset.examples if name_photo(dataset, example.path) in people]
    else:
        examples = [example for example in dataset.examples if example.identity in people]
    if not examples:
        num_rows = sum(row.identity in people for row in dataset.rows)
        raise DataError(
            f"The {part} part has {len(people)} people and {num_rows:,} rows in the table, and none of their photos is "
            f"in {dataset.directory}. Complete the photos, or use another part or split."
        )
    return examples


SPLITS: dict[str, Callable[[Sequence[str], Mapping[str, object]], Split]] = {
    "hands-cross-view": split_hands_cross_view,
    "fractions": split_fractions,
    "k-fold": split_k_fold,
    "file": split_file,
}


# These also look at the photos and at the pairs.
DATASET_SPLITS: dict[str, Callable[[DataSet, Mapping[str, object]], Split]] = {
    "pairs": split_pairs,
    "photos": split_photos,
    "column": split_column,
}
