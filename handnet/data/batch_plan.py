"""Which photos go into which batch: index plans from an explicit numpy Generator."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import DataError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


class Pool(NamedTuple):
    """The photos of one identity by view: positions in the data set; one entry where the data set has no views."""

    identity: int
    photos_by_view: tuple[IntArray, ...]


def build_pools(identities: Sequence[int] | IntArray, views: Sequence[str]) -> list[Pool]:
    """Group photos by identity and view, keeping the identities that can give a positive pair.

    Args:
        identities: (N,) identity index of each photo.
        views: (N,) "dorsal" or "palmar" each, or "" for all where the data set has no views.

    Returns:
        One pool for each identity with photos of both views (or, without views, with two photos or more), by identity.
    """
    labels = np.asarray(identities, dtype=np.int64)
    view_array = np.asarray(views, dtype=np.str_)
    has_views = bool((view_array != "").any())
    pools = []
    for identity in np.unique(labels):
        rows = np.flatnonzero(labels == identity)
        if has_views:
            groups = tuple(rows[view_array[rows] == view] for view in ("dorsal", "palmar"))
            usable = all(len(group) > 0 for group in groups)
        else:
            groups, usable = (rows,), len(rows) > 1
        if usable:
            pools.append(Pool(int(identity), groups))
    return pools


def plan_people(
    pools: Sequence[Pool],
    people_per_batch: int,
    photos_per_view: int,
    passes: int,
    rng: np.random.Generator,
    templates: FloatArray | None = None,
    alike_fraction: float = 0.0,
) -> IntArray:
    """Plan one epoch of batches of people × views × photos, every person equally often however many photos they have.

    In each pass every person comes once, in random order; the last batch of the epoch is filled up with other people, drawn
    at random. A person's photos are dealt from a shuffled stack that is shuffled again when it is used up, so that all of
    them are used before one comes again. Without views a person gives 2 × `photos_per_view` photos.

    With `templates`, a batch is its first person, drawn at random, then those of the people still to come in this pass whose
    palms are most like that person's back or whose backs are most like the palm, then people at random.

    Args:
        pools: from `build_pools`.
        people_per_batch: different people in a batch.
        photos_per_view: photos of each person and view.
        passes: times that each person is visited.
        rng: source of all randomness.
        templates: (P, V, D) from `average_by_pool`, in the order of the pools; None: all people at random.
        alike_fraction: share of a batch, its first person left out, that is chosen by likeness, 0..1.

    Returns:
        (num_batches, people_per_batch * 2 * photos_per_view) photo positions; the photos of a person lie together,
        dorsal before palmar.

    Raises:
        DataError: there are fewer people than a batch needs.
    """
    if len(pools) < people_per_batch:
        # A batch of one person compares nobody, so there is nothing to lower to.
        advice = "Lower sampler.people_per_batch (--batch) or give more people."
        if len(pools) < 2:
            advice = "Give photos of both views of at least 2 people, or photos without views."
        raise DataError(
            f"A batch needs {people_per_batch} people with photos of both views (or two photos where there are no views). "
            f"Received: {len(pools)}. {advice}"
        )
    if templates is None:
        order = _order_people(len(pools), people_per_batch, passes, rng)
    else:
        order = _order_alike(templates, people_per_batch, passes, round(alike_fraction * (people_per_batch - 1)), rng)
    dealers = [[_Dealer(group, rng) for group in pool.photos_by_view] for pool in pools]
    rows = []
    for batch in order:
        row: list[int] = []
        for person in batch:
            per_group = photos_per_view * 2 // len(dealers[person])
            for dealer in dealers[person]:
                row += dealer.deal(per_group)
        rows.append(row)
    return np.asarray(rows, dtype=np.int64)


def average_by_pool(pools: Sequence[Pool], vectors: FloatArray) -> FloatArray:
    """Average each identity's unit vectors by view.

    Args:
        pools: from `build_pools`.
        vectors: float32 (N, D), of the photos that the pools' positions mean.

    Returns:
        float32 (P, V, D), V = 2 views (dorsal, palmar) or 1 without views, rows of unit length.
    """
    means = np.stack([np.stack([vectors[rows].mean(axis=0) for rows in pool.photos_by_view]) for pool in pools])
    lengths = np.linalg.norm(means, axis=-1, keepdims=True)
    templates: FloatArray = (means / np.maximum(lengths, 1e-12)).astype(np.float32)
    return templates


def plan_pairs(
    pools: Sequence[Pool], pairs_per_batch: int, positive_fraction: float, passes: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Plan one epoch of dorsal–palmar pairs: random positives of one person, random negatives of two.

    Every person's dorsal (or first) photo opens `passes` pairs. The published baseline draws pairs at random in this way;
    it does not state its share of positives, which is `positive_fraction` here, exact in every batch up to rounding.

    Args:
        pools: from `build_pools`.
        pairs_per_batch: pairs in a batch.
        positive_fraction: share of pairs of one person, 0..1.
        passes: pairs opened by each person in an epoch.
        rng: source of all randomness.

    Returns:
        (num_batches, pairs_per_batch, 2) photo positions and (num_batches, pairs_per_batch) labels, 1 = same person.

    Raises:
        DataError: there are fewer than two people.
    """
    if len(pools) < 2:
        raise DataError(f"Pairs need at least two people with photos of both views. Received: {len(pools)}.")
    num_batches = -(-len(pools) * passes // pairs_per_batch)
    total = num_batches * pairs_per_batch
    num_rounds = -(-total // len(pools))
    openers = np.concatenate([rng.permutation(len(pools)) for _ in range(num_rounds)])[:total]
    num_positive = round(positive_fraction * pairs_per_batch)
    labels = np.stack([rng.permutation(pairs_per_batch) < num_positive for _ in range(num_batches)]).astype(np.int64)
    pairs = np.empty((total, 2), dtype=np.int64)
    for k, (person, same) in enumerate(zip(openers, labels.ravel(), strict=True)):
        # A shift of 1..n-1 reaches every other person with equal probability.
        other = person if same else (person + rng.integers(1, len(pools))) % len(pools)
        first, second = pools[person].photos_by_view[0], pools[other].photos_by_view[-1]
        if same and len(pools[person].photos_by_view) == 1:
            pairs[k] = rng.choice(first, size=2, replace=False)
        else:
            pairs[k] = rng.choice(first), rng.choice(second)
    return pairs.reshape(num_batches, pairs_per_batch, 2), labels


def _order_people(num_people: int, per_batch: int, passes: int, rng: np.random.Generator) -> list[list[int]]:
    """Deal people into batches without a person twice in one batch; each comes `passes` times, plus fillers at the end."""
    waiting: list[int] = []
    batches: list[list[int]] = []
    for _ in range(passes):
        waiting += rng.permutation(num_people).tolist()
        while len(waiting) >= per_batch:
            batch: list[int] = []
            later: list[int] = []
            for person in waiting:
                target = later if len(batch) == per_batch or person in batch else batch
                target.append(person)
            if len(batch) < per_batch:
                break
            batches.append(batch)
            waiting = later
    while waiting:
        batch = list(dict.fromkeys(waiting))[:per_batch]
        for person in batch:
            waiting.remove(person)
        others = rng.permutation([person for person in range(num_people) if person not in batch])
        batches.append(batch + others[: per_batch - len(batch)].tolist())
    return batches


def _order_alike(
    templates: FloatArray, per_batch: int, passes: int, num_alike: int, rng: np.random.Generator
) -> list[list[int]]:
    """Deal people into batches as `_order_people` does for one pass at a time, `num_alike` of each batch by likeness."""
    num_people = len(templates)
    batches: list[list[int]] = []
    left: list[int] = []
    for number in range(passes):
        # Those left of the last pass open this one's first batch, and come again later in it.
        begun, again = left, np.asarray(left, dtype=np.int64)
        waiting = rng.permutation([person for person in range(num_people) if person not in begun])
        while len(begun) + len(waiting) >= per_batch or (number == passes - 1 and len(waiting)):
            if not begun:
                begun, waiting = [int(waiting[0])], waiting[1:]
            # Dorsal against palmar and back; one view against itself.
            likeness = np.einsum("vd,pvd->p", templates[begun[0]], templates[waiting][:, ::-1])
            alike = waiting[np.argsort(-likeness, kind="stable")[: min(num_alike, per_batch - len(begun))]]
            others = waiting[~np.isin(waiting, alike)][: per_batch - len(begun) - len(alike)]
            batch = [*begun, *alike.tolist(), *others.tolist()]
            absent = rng.permutation([person for person in range(num_people) if person not in batch])
            batches.append(batch + absent[: per_batch - len(batch)].tolist())
            waiting = waiting[~np.isin(waiting, batch)]
            if len(again):
                waiting, again = rng.permutation(np.concatenate([waiting, again])), again[:0]
            begun = []
        left = waiting.tolist()
    return batches


class _Dealer:
    """Deals photos from a shuffled stack, shuffled again when used up."""

    def __init__(self, photos: IntArray, rng: np.random.Generator) -> None:
        self._photos, self._rng = photos, rng
        self._stack: list[int] = []

    def deal(self, count: int) -> list[int]:
        dealt: list[int] = []
        while len(dealt) < count:
            if not self._stack:
                self._stack = self._rng.permutation(self._photos).tolist()
            dealt.append(self._stack.pop())
        return dealt
