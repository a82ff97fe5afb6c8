"""Leaks between the parts of a split: what would be tested on was seen in training, by these weights or by earlier ones."""

import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from handnet.config.run_folder import Run, is_run, read_run, read_run_split, read_seen_photos
from handnet.config.split import PARTS, Split
from handnet.data.cache import digest_bytes
from handnet.data.checks import find_duplicates
from handnet.data.dataset import DataSet, distinct_identities, normalise_identity
from handnet.data.example import Example
from handnet.data.splits.by_photo import name_photo
from handnet.errors import count_and_name


class SeenPart(NamedTuple):
    """What the weights that a training begins with have seen of its test or validation part.

    Attributes:
        part: "test": seen is what that run, or one that it began with, trained or chose its epoch on; or "val": what it
            trained on. To choose an epoch twice on the same validation people is what they are for.
        run: folder of the run that the weights come from.
        num_people: people of the part of whom photos were seen.
        num_all_people: people of the part who have photos.
        num_photos: photos of the part that were seen, by their contents.
        num_all_photos: photos of the part.
        by: what the split deals out, "identity" or "photo".
    """

    part: str
    run: str
    num_people: int
    num_all_people: int
    num_photos: int
    num_all_photos: int
    by: str = "identity"

    def describe(self) -> str:
        """Return one line for warnings, the model card and the report."""
        name = "validation" if self.part == "val" else self.part
        seen = f"{self.num_people:,} of {self.num_all_people:,} {name} people ({self.num_photos:,} of their photos)"
        if self.by == "photo" and self.num_photos:
            seen = f"{self.num_photos:,} of {self.num_all_photos:,} {name} photos"
        rests = ", and the best epoch and the thresholds rest on them" if self.part == "val" else ""
        return f"the weights of the run {self.run!r} have seen {seen} in training: figures on them are too good{rests}."


class Copies(NamedTuple):
    """Photos of identical content.

    Attributes:
        under_two_people: groups of paths that lie under two people or more.
        across_parts: paths of validation and test photos that are also in an earlier part, of training or validation.
    """

    under_two_people: list[tuple[str, ...]]
    across_parts: list[str]

    def describe(self) -> list[str]:
        """Return a line for each kind that there is."""
        lines = []
        if self.under_two_people:
            names = [" = ".join(os.path.basename(path) for path in group[:2]) for group in self.under_two_people]
            lines.append(
                f"{count_and_name(names, 'photo', 'photos')} under two people: one of the labels is wrong, and no model "
                "can learn it. `handnet data check` lists them."
            )
        if self.across_parts:
            names = [os.path.basename(path) for path in self.across_parts]
            lines.append(
                f"{count_and_name(names, 'validation or test photo', 'validation or test photos')} also in an earlier part, "
                "identical to the byte: figures are too good. Remove the copies."
            )
        return lines


def find_seen(
    weights: str, part: str, examples: Sequence[Example], directory: str, by: str = "identity"
) -> SeenPart | None:
    """Find out how much of a part the run whose weights are taken has seen, and the runs that it began with in turn.

    Photos are compared by their contents, wherever they lie. Runs of before keep no list of them: there people are compared
    by their ids, where the data set's folder is the same.

    Args:
        weights: `model.weights`.
        part: "test" or "val"; see `SeenPart` for what counts as seen.
        examples: its photos.
        directory: the data set's folder.
        by: what the split deals out, "identity" or "photo".

    Returns:
        None where the weights are not a run's, or where it has seen nobody.
    """
    runs = _follow_runs(weights)
    if not runs or not examples:
        return None
    photos = set().union(*(_read_photos(run, part, is_last=run is runs[-1]) for run in runs))
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        digests = pool.map(_digest, (example.path for example in examples if photos))
        seen_photos = [example for example, digest in zip(examples, digests, strict=False) if digest in photos]
    people = {example.identity for example in seen_photos}
    for run in runs:
        if not read_seen_photos(run) and _is_same_folder(run.facts["data"]["directory"], directory):
            people |= _read_people(run, part) & {example.identity for example in examples}
    if not people:
        return None
    num_all = len(distinct_identities(examples))
    return SeenPart(part, str(runs[0].folder), len(people), num_all, len(seen_photos), len(examples), by)


def describe_seen(run: Run, part: str) -> str:
    """Return in one line what the weights that a run began with had seen of a part; "" where nothing is known of it."""
    return str(run.facts.get(f"{part}_seen_by_weights", {}).get("text", ""))


def collect_seen_photos(weights: str, digests: Collection[str]) -> list[str]:
    """Return the digests of all photos that weights will have seen: those of this training, and of the runs before it.

    Those of this training stay as they are, copies too: run.json's counts tell which of them were trained on.
    """
    own = set(digests)
    earlier = (digest for run in _follow_runs(weights) for digest in read_seen_photos(run) if digest not in own)
    return [*digests, *dict.fromkeys(earlier)]


def find_copies(dataset: DataSet, split: Split) -> Copies:
    """Find photos of identical content under two people, or in two parts of a split."""
    part_of = _assign_parts(dataset, split)
    person_of = {example.path: example.identity for example in dataset.examples}
    groups = find_duplicates([example.path for example in dataset.examples])
    across = []
    for group in groups:
        parts = [PARTS.index(part_of[path]) for path in group if path in part_of]
        across += [path for path in group if path in part_of and PARTS.index(part_of[path]) > min(parts)]
    return Copies([group for group in groups if len({person_of[path] for path in group}) > 1], across)


def select_photos(dataset: DataSet, split: Split, part: str) -> list[Example]:
    """Return the photos of one part in the data set's order, none where there are none."""
    part_of = _assign_parts(dataset, split)
    return [example for example in dataset.examples if part_of.get(example.path) == part]


def _assign_parts(dataset: DataSet, split: Split) -> Mapping[str, str]:
    part_of = {key: part for part in PARTS for key in split.people(part)}
    keys = {
        example.path: name_photo(dataset, example.path) if split.by == "photo" else example.identity
        for example in dataset.examples
    }
    return {path: part_of[key] for path, key in keys.items() if key in part_of}


def _follow_runs(weights: str) -> list[Run]:
    """Return the run that weights are those of, the run that it began with, and so on."""
    runs: list[Run] = []
    visited: set[str] = set()
    while weights and is_run(Path(weights)) and os.path.realpath(weights) not in visited:
        visited.add(os.path.realpath(weights))
        runs.append(read_run(Path(weights)))
        weights = runs[-1].config.model.weights
    return runs


def _read_photos(run: Run, part: str, is_last: bool) -> list[str]:
    """Return the digests of the photos that count as seen for a part, of a run that is the last of its chain or not."""
    photos = read_seen_photos(run)
    counts = run.facts["data"].get("num_photos")
    if part == "test" or not counts:
        return photos
    # Training, validation, and the photos of the runs before: those say themselves what they trained on, unless they have gone.
    return photos[: counts["train"]] + (photos[sum(counts.values()) :] if is_last else [])


def _read_people(run: Run, part: str) -> set[str]:
    split = read_run_split(run)
    if split.by == "photo":
        return set()
    counted = ("train", "val") if part == "test" else ("train",)
    return {normalise_identity(person) for name in counted for person in split.people(name)}


def _is_same_folder(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _digest(path: str) -> str:
    try:
        return digest_bytes(Path(path).read_bytes())
    except OSError:
        # What cannot be read was not seen either; evaluation will name it.
        return ""
