"""All cross-view pairs of photos counted in blocks, of which none is kept: for more photos than a matrix of pairs can hold.

People are divided into groups, and the photos of each view are ordered by group. A block is the pairs of one group's dorsal
photos with one group's palmar photos. Of a block three things are kept: for each query photo and each photo that is right for it,
how many wrong ones come before; the same with the views exchanged; and a histogram of the similarities of different people.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.ranking import TIE_TOLERANCE

# Equal bins of similarity over -1..1: 0.00003 wide.
NUM_FINE_BINS = 1 << 16
# Of the table of groups, kept for the bootstrap.
NUM_COARSE_BINS = 1 << 11
MAX_GROUPS = 64
# Photos of each view whose pairs say where the similarities lie.
_SAMPLED = 512
_TILE_ROWS, _TILE_COLUMNS = 1024, 2048

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


class ViewRows(NamedTuple):
    """The photos of one view, ordered by group, then by how many photos of the other view are right, then by person.

    Attributes:
        vectors: float32 (N, D).
        people: int64 (N,) codes.
        rows: int64 (N,) rows of the part.
        starts: int64 (G + 1,) where each group begins.
        num_right: int64 (N,) photos of the same person in the other view, falling within a group.
        offsets: int64 (N + 1,) where the photos that are right for each begin in `limits`.
        limits: float32 (P,) their similarities, falling for each photo, less the tolerance of ties: a wrong one from here on
            comes before.
    """

    vectors: Floats
    people: Counts
    rows: Counts
    starts: Counts
    num_right: Counts
    offsets: Counts
    limits: Floats


class PairLayout(NamedTuple):
    """All that the blocks need.

    Attributes:
        dorsal: photos of the backs.
        palmar: photos of the palms.
        genuine: float32 (P,) similarities of the pairs of the same person, in the order of `dorsal.limits`.
        num_groups: G.
        coarse: int64 (NUM_FINE_BINS,) the coarse bin, rising from 0 to below NUM_COARSE_BINS, that each fine one is part of.
    """

    dorsal: ViewRows
    palmar: ViewRows
    genuine: Floats
    num_groups: int
    coarse: Counts


class BlockCounts(NamedTuple):
    """What is kept of a block.

    Attributes:
        dorsal: int64 (P_g,) wrong palmar photos that come before each right one, for the dorsal photos of the block.
        palmar: int64 (P_h,) likewise for its palmar photos.
        histogram: int64 (NUM_FINE_BINS,) pairs of different people by similarity.
    """

    dorsal: Counts
    palmar: Counts
    histogram: Counts


def lay_out(part: EmbeddedPart) -> PairLayout:
    """Order the photos of a part, and score the pairs of the same person.

    Args:
        part: photos with views.
    """
    names, codes = np.unique(part.identities, return_inverse=True)
    codes = codes.astype(np.int64)
    num_groups = min(len(names), MAX_GROUPS)
    groups = codes * num_groups // len(names)
    per_view = [np.bincount(codes[part.views == view], minlength=len(names)) for view in ("dorsal", "palmar")]
    sides = []
    for view, right in zip(("dorsal", "palmar"), per_view[::-1], strict=True):
        rows = np.flatnonzero(part.views == view)
        order = rows[np.lexsort((codes[rows], -right[codes[rows]], groups[rows]))]
        starts = np.searchsorted(groups[order], np.arange(num_groups + 1)).astype(np.int64)
        num_right = right[codes[order]].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(num_right)]).astype(np.int64)
        sides.append(
            ViewRows(part.embeddings[order], codes[order], order, starts, num_right, offsets, np.empty(0, np.float32))
        )
    dorsal, palmar = sides
    genuine = np.empty(int(dorsal.offsets[-1]), np.float32)
    limits = [np.empty(len(genuine), np.float32) for _ in sides]
    first = [np.full(len(names) + 1, -1), np.full(len(names) + 1, -1)]
    for begins, side in zip(first, sides, strict=True):
        people, where = np.unique(side.people, return_index=True)
        begins[people] = where
    for person in np.flatnonzero((per_view[0] > 0) & (per_view[1] > 0)):
        mine = [
            slice(begins[person], begins[person] + count[person]) for begins, count in zip(first, per_view, strict=True)
        ]
        scores = dorsal.vectors[mine[0]] @ palmar.vectors[mine[1]].T
        for side, flat, own, table in zip(sides, limits, mine, (scores, scores.T), strict=True):
            falling = -np.sort(-table, axis=1)
            flat[side.offsets[own.start] : side.offsets[own.stop]] = (falling - TIE_TOLERANCE).ravel()
            if side is dorsal:
                genuine[side.offsets[own.start] : side.offsets[own.stop]] = falling.ravel()
    coarse = _choose_coarse(dorsal, palmar, genuine)
    return PairLayout(dorsal._replace(limits=limits[0]), palmar._replace(limits=limits[1]), genuine, num_groups, coarse)


def _choose_coarse(dorsal: ViewRows, palmar: ViewRows, genuine: Floats) -> Counts:
    """Return the coarse bin of each fine one: narrow where the pairs are, since bunched ones would all fall into a few.

    A third of the coarse bins goes by the pairs of photos at equal distances, a third by those of the same person, a third is
    spread evenly, for what the sample missed.
    """
    some, others = (side.vectors[:: -(-len(side.vectors) // _SAMPLED) or 1] for side in (dorsal, palmar))
    shares = np.full(NUM_FINE_BINS, 1 / NUM_FINE_BINS)
    for scores in (some @ others.T, genuine):
        shares += bin_scores(scores) / max(scores.size, 1)
    # Up to the middle of each fine bin, so that rounding does not decide.
    below = np.cumsum(shares) - shares / 2
    return np.asarray(below / shares.sum() * NUM_COARSE_BINS, dtype=np.int64)


def count_coarse(histogram: Counts, coarse: Counts) -> Counts:
    """Return a histogram in coarse bins, int64 (NUM_COARSE_BINS,).

    Args:
        histogram: int64 (NUM_FINE_BINS,).
        coarse: of the layout.
    """
    return np.bincount(coarse, weights=histogram, minlength=NUM_COARSE_BINS).astype(np.int64)


def count_block(layout: PairLayout, dorsal_group: int, palmar_group: int) -> BlockCounts:
    """Compare the dorsal photos of one group with the palmar photos of another.

    Args:
        layout: the photos.
        dorsal_group: 0..G-1.
        palmar_group: 0..G-1.
    """
    dorsal, palmar = layout.dorsal, layout.palmar
    rows = slice(*dorsal.starts[dorsal_group : dorsal_group + 2])
    columns = slice(*palmar.starts[palmar_group : palmar_group + 2])
    before_rows = np.zeros(int(dorsal.offsets[rows.stop] - dorsal.offsets[rows.start]), np.int64)
    before_columns = np.zeros(int(palmar.offsets[columns.stop] - palmar.offsets[columns.start]), np.int64)
    histogram = np.zeros(NUM_FINE_BINS, np.int64)
    for top in range(rows.start, rows.stop, _TILE_ROWS):
        across = slice(top, min(top + _TILE_ROWS, rows.stop))
        for left in range(columns.start, columns.stop, _TILE_COLUMNS):
            down = slice(left, min(left + _TILE_COLUMNS, columns.stop))
            tile = dorsal.vectors[across] @ palmar.vectors[down].T
            if dorsal_group == palmar_group:
                same = dorsal.people[across, None] == palmar.people[None, down]
                histogram += bin_scores(tile[~same])
                tile[same] = -np.inf
            else:
                histogram += bin_scores(tile)
            _count_before(tile, dorsal, across, before_rows, int(dorsal.offsets[rows.start]))
            _count_before(tile.T, palmar, down, before_columns, int(palmar.offsets[columns.start]))
    return BlockCounts(before_rows, before_columns, histogram)


def _count_before(tile: Floats, side: ViewRows, own: slice, before: Counts, start: int) -> None:
    """Add to `before` how many entries of each row of the tile come before each photo that is right for it."""
    num_right = side.num_right[own]
    for place in range(int(num_right[0]) if len(num_right) else 0):
        # They fall: those with more than `place` right ones are the first.
        asking = int(np.searchsorted(-num_right, -place, side="left"))
        where = side.offsets[own.start : own.start + asking] + place
        wrong = tile[:asking] >= side.limits[where][:, None]
        before[where - start] += np.count_nonzero(wrong, axis=1)


def bin_scores(scores: Floats) -> Counts:
    """Return how many similarities lie in each of `NUM_FINE_BINS` equal bins over -1..1.

    Args:
        scores: float32, any shape.
    """
    scaled = (scores.ravel() + np.float32(1)) * np.float32(NUM_FINE_BINS / 2)
    # A cosine may exceed 1 by rounding.
    bins = np.clip(scaled, 0, NUM_FINE_BINS - 1, out=scaled).astype(np.int64)
    return np.bincount(bins, minlength=NUM_FINE_BINS).astype(np.int64)


def bin_edges(num_bins: int) -> Floats:
    """Return the lower edges of equal bins over -1..1, float32 (num_bins,)."""
    return (np.arange(num_bins) * 2.0 / num_bins - 1.0).astype(np.float32)
