"""The pairs of photos on which a system is trained and evaluated: the data set's own, or drawn, as many of either kind."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run, read_run_split
from handnet.config.settings import Config
from handnet.config.split import Split
from handnet.data.dataset import DataSet, PhotoPair, has_views
from handnet.data.example import Example
from handnet.data.splits.by_photo import find_clusters
from handnet.data.splits.rules import select_part
from handnet.errors import DataError

DEFAULT_DRAWN = 2000

# The person and the view of each photo.
Labels = tuple[tuple[str, str], ...]
Item = TypeVar("Item")


class PairTable(NamedTuple):
    """Photos and pairs of them.

    Attributes:
        examples: P photos, each once.
        rows: int64 (N, 2) positions in `examples`.
        same: bool (N,): whether both are of one person (or class).
    """

    examples: list[Example]
    rows: npt.NDArray[np.int64]
    same: npt.NDArray[np.bool_]

    @property
    def people(self) -> npt.NDArray[np.str_]:
        """The two people of each pair, (N, 2)."""
        return np.asarray([example.identity for example in self.examples])[self.rows]


def choose_tables(run: Run, dataset: DataSet) -> tuple[PairTable, PairTable]:
    """Return the pairs that a run's classifier of pairs learns from and those kept back, of different people."""
    return choose_tables_of(run.config, read_run_split(run), dataset)


def choose_tables_of(config: Config, split: Split, dataset: DataSet) -> tuple[PairTable, PairTable]:
    """Return what `choose_tables` does, before there is a run."""
    settings, seed = config.pairs, config.train.seed
    if settings.part == "val":
        return halve_people(select_pairs(dataset, split, "val", settings.num_drawn, seed), seed)
    return (
        select_pairs(dataset, split, "train", settings.num_drawn, seed),
        select_pairs(dataset, split, "val", 0, seed),
    )


def select_pairs(dataset: DataSet, split: Split, part: str, num_drawn: int = 0, seed: int = 0) -> PairTable:
    """Return the pairs of one part: the data set's own, or, where it has none, drawn ones; with `num_drawn` drawn in any case.

    Args:
        dataset: the photos.
        split: its split.
        part: "train", "val" or "test".
        num_drawn: pairs to draw, half of either kind, instead of the data set's own; 0 draws 2,000 only where it has none.
        seed: of the draw.

    Raises:
        DataError: the part has no pair of one, or none of two people.
    """
    examples = select_part(dataset, split, part)
    present = {example.path for example in examples}
    pairs = [pair for pair in dataset.pairs if pair.first in present and pair.second in present]
    if num_drawn or not dataset.pairs:
        return draw_pairs(examples, num_drawn or DEFAULT_DRAWN, seed, part)
    table = tabulate_pairs(examples, pairs)
    if not table.same.any() or table.same.all():
        raise DataError(
            f"The {part} part needs pairs of one and of two people. Received: {int(table.same.sum())} and "
            f"{int((~table.same).sum())} of the {len(dataset.pairs):,} pairs. Use the split pairs, which keeps pairs whole, "
            "and give more pairs, a larger part or another data.split_options.seed."
        )
    return table


def tabulate_pairs(examples: Sequence[Example], pairs: Sequence[PhotoPair]) -> PairTable:
    """Put pairs and the photos that they need together, photos in their order of appearance."""
    by_path = {example.path: example for example in examples}
    paths = list(dict.fromkeys(path for pair in pairs for path in (pair.first, pair.second)))
    position = {path: k for k, path in enumerate(paths)}
    rows = np.asarray([(position[pair.first], position[pair.second]) for pair in pairs], np.int64).reshape(-1, 2)
    return PairTable([by_path[path] for path in paths], rows, np.asarray([pair.same for pair in pairs], np.bool_))


def draw_pairs(examples: Sequence[Example], count: int, seed: int, part: str = "") -> PairTable:
    """Draw pairs of photos, as many of one as of two people, none twice; fewer if one person has too few photos.

    People are drawn first and then their photos, so that one with many photos does not rule. With views, each pair is of a
    dorsal and a palmar photo.

    Args:
        examples: the photos.
        count: pairs in all.
        seed: of the draw.
        part: named in the message.

    Raises:
        DataError: nobody has two photos to pair, or there are fewer than two people.
    """
    crossing = has_views(examples)
    labels = tuple((example.identity, example.view) for example in examples)
    firsts, seconds = _collect_photos(labels, crossing)
    matched = _list_matched(firsts, seconds, crossing)
    if not matched or len({*firsts, *seconds}) < 2:
        raise DataError(
            f"Pairs need two people, and one with {'both views' if crossing else 'two photos'}. Received: a "
            f"{part or 'data set'} part of {len({*firsts, *seconds})} people, {len(matched)} of them such."
        )
    rows, same = _draw_rows(labels, crossing, count, seed)
    pairs = [
        PhotoPair(examples[a].path, examples[b].path, of_one)
        for (a, b), of_one in zip(rows.tolist(), same.tolist(), strict=True)
    ]
    return tabulate_pairs(examples, pairs)


def _collect_photos(labels: Labels, crossing: bool) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return each person's photos that can be the first of a pair, and those that can be the second."""
    firsts, seconds = dict[str, list[int]](), dict[str, list[int]]()
    for k, (identity, view) in enumerate(labels):
        if not crossing or view == "dorsal":
            firsts.setdefault(identity, []).append(k)
        if not crossing or view == "palmar":
            seconds.setdefault(identity, []).append(k)
    return firsts, seconds


def _list_matched(firsts: dict[str, list[int]], seconds: dict[str, list[int]], crossing: bool) -> list[str]:
    return [p for p in firsts if p in seconds and (crossing or len(firsts[p]) > 1)]


# A command asks for the same pairs to check them, to learn from them and to evaluate, and where pairs are scarce each draw takes
# a quarter of a second.
@lru_cache(maxsize=4)
def _draw_rows(
    labels: Labels, crossing: bool, count: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return positions (N, 2) of the photos of each pair and whether both are of one person (N,); not to be changed."""
    rng = np.random.default_rng([seed, count])
    firsts, seconds = _collect_photos(labels, crossing)
    matched = _list_matched(firsts, seconds, crossing)
    asking, answering = list(firsts), list(seconds)
    drawn: dict[tuple[int, int], bool] = {}
    for same in (True, False):
        # As many of two people as there were found of one.
        wanted = count // 2 if same else 2 * len(drawn)
        # Where pairs are scarce most draws repeat one: this number of tries finds nearly all.
        for _ in range(20 * count):
            if len(drawn) == wanted:
                break
            one = _choose(rng, matched if same else asking)
            other = one if same else _choose(rng, answering)
            if not same and other == one:
                continue
            pair = _choose(rng, firsts[one]), _choose(rng, seconds[other])
            if pair[0] != pair[1]:
                drawn.setdefault(pair if crossing else (min(pair), max(pair)), same)
    rows, of_one = np.asarray(list(drawn), np.int64).reshape(-1, 2), np.asarray(list(drawn.values()), np.bool_)
    for array in (rows, of_one):
        array.setflags(write=False)
    return rows, of_one


def _choose(rng: np.random.Generator, items: list[Item]) -> Item:
    """Return one of the items, the one that `rng.choice` does, which makes an array of them first."""
    return items[rng.integers(len(items))]


def halve_people(table: PairTable, seed: int) -> tuple[PairTable, PairTable]:
    """Cut a table of pairs into halves of about equal size, no person in both; pairs across the halves are left out.

    Args:
        table: the pairs.
        seed: of the shuffle.

    Raises:
        DataError: a half without pairs of either kind.
    """
    names = [example.identity for example in table.examples]
    people = list(dict.fromkeys(names))
    np.random.default_rng([seed, 7]).shuffle(people)
    links = [(names[a], names[b]) for a, b in table.rows]
    clusters = find_clusters(people, links)
    # Pairs that were drawn connect everybody: then people are halved and the pairs between the halves are lost.
    if max(map(len, clusters)) > len(people) / 2:
        clusters = [[person] for person in people]
    half: set[str] = set()
    for cluster in clusters:
        if len(half) < len(people) / 2:
            half |= set(cluster)
    first = np.asarray([a in half and b in half for a, b in links])
    second = np.asarray([a not in half and b not in half for a, b in links])
    halves = (
        table._replace(rows=table.rows[first], same=table.same[first]),
        table._replace(rows=table.rows[second], same=table.same[second]),
    )
    if any(not part.same.any() or part.same.all() for part in halves):
        raise DataError(
            f"{len(table.same):,} pairs of {len(people)} people are too few to learn from one half and test on the other."
        )
    return halves


def thin_pairs(table: PairTable, count: int) -> PairTable:
    """Return some of the pairs, evenly from the whole table, half of either kind if there are enough, and their photos."""
    kept: list[int] = []
    for same, wanted in ((True, count - count // 2), (False, count // 2)):
        rows = np.flatnonzero(table.same == same)
        kept += rows[np.linspace(0, len(rows) - 1, min(wanted, len(rows))).astype(np.int64)].tolist()
    pairs = [
        PhotoPair(table.examples[a].path, table.examples[b].path, bool(same))
        for (a, b), same in zip(table.rows[kept], table.same[kept], strict=True)
    ]
    return tabulate_pairs(table.examples, pairs)
