"""Similarities of all cross-view pairs of photos: genuine ones in full, impostor ones counted as they stream by."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people

HISTOGRAM_BINS = 4000
_BLOCK_CELLS = 1 << 22

Scores = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


class PairScores(NamedTuple):
    """All that verification and calibration need to know of the pairs; exact at every threshold where it matters.

    Attributes:
        genuine: float32 (G,) similarities of pairs of the same person, ascending.
        genuine_people: (G,) the person of each genuine pair.
        num_impostor: pairs of different people.
        num_people: people with a photo in any of the pairs.
        num_person_pairs: unordered pairs of different people among the impostor pairs.
        thresholds: float32 (T,) ascending: every genuine similarity, and those asked for.
        impostors_above: int64 (T,) impostor pairs with a similarity greater than the threshold.
        impostors_at: int64 (T,) impostor pairs with a similarity greater than or equal to the threshold.
        impostor_histogram: int64 (4000,) impostor pairs by similarity, equal bins over -1..1.
    """

    genuine: Scores
    genuine_people: npt.NDArray[np.generic]
    num_impostor: int
    num_people: int
    num_person_pairs: int
    thresholds: Scores
    impostors_above: Counts
    impostors_at: Counts
    impostor_histogram: Counts


def score_pairs(part: EmbeddedPart, thresholds: npt.ArrayLike = ()) -> PairScores:
    """Score every dorsal photo against every palmar photo, in blocks.

    Args:
        part: the photos.
        thresholds: similarities at which impostors are counted in addition to the genuine ones.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    find_two_view_people(part.identities, part.views)
    dorsal, palmar = (part.select(part.views == view) for view in ("dorsal", "palmar"))
    names = np.unique(part.identities)
    order = np.argsort(palmar.identities, kind="stable")
    palms, palm_people = palmar.embeddings[order], palmar.identities[order]
    starts = np.searchsorted(palm_people, names, side="left")
    ends = np.searchsorted(palm_people, names, side="right")
    genuine, people = [], []
    for name, start, end in zip(names, starts, ends, strict=True):
        mine = dorsal.embeddings[dorsal.identities == name] @ palms[start:end].T
        genuine.append(mine.ravel())
        people.append(np.full(mine.size, name))
    scores, owners = np.concatenate(genuine), np.concatenate(people)
    ascending = np.argsort(scores, kind="stable")
    edges = np.unique(np.concatenate([scores, np.asarray(thresholds, dtype=np.float32)]))
    above, at = np.zeros(len(edges), np.int64), np.zeros(len(edges), np.int64)
    histogram, num_impostor = np.zeros(HISTOGRAM_BINS, np.int64), 0
    codes = np.searchsorted(names, dorsal.identities)
    rows = max(1, _BLOCK_CELLS // len(palms))
    for first in range(0, len(codes), rows):
        block = dorsal.embeddings[first : first + rows] @ palms.T
        impostor = np.ones(block.shape, dtype=bool)
        for row, code in zip(impostor, codes[first : first + rows], strict=True):
            row[starts[code] : ends[code]] = False
        different = np.sort(block[impostor])
        above += len(different) - np.searchsorted(different, edges, side="right")
        at += len(different) - np.searchsorted(different, edges, side="left")
        histogram += count_bins(different)
        num_impostor += len(different)
    asking, answering = np.isin(names, dorsal.identities), np.isin(names, palmar.identities)
    return PairScores(
        scores[ascending],
        owners[ascending],
        num_impostor,
        len(names),
        count_person_pairs(asking, answering),
        edges,
        above,
        at,
        histogram,
    )


def histogram_centres() -> npt.NDArray[np.float64]:
    """Return the similarity at the centre of each bin of `impostor_histogram`."""
    return (np.arange(HISTOGRAM_BINS) + 0.5) * 2.0 / HISTOGRAM_BINS - 1.0


def count_bins(scores: Scores) -> Counts:
    """Return how many scores lie in each bin of `impostor_histogram`.

    Args:
        scores: float32 (N,), -1..1.
    """
    # A cosine may exceed 1 by rounding.
    bins = np.clip(((scores + 1.0) * (HISTOGRAM_BINS / 2)).astype(np.int64), 0, HISTOGRAM_BINS - 1)
    return np.bincount(bins, minlength=HISTOGRAM_BINS).astype(np.int64)


def count_person_pairs(asking: npt.NDArray[np.bool_], answering: npt.NDArray[np.bool_]) -> int:
    """Return the unordered pairs of people of whom one has a dorsal and the other a palmar photo.

    Args:
        asking: (P,) who has a dorsal photo.
        answering: (P,) who has a palmar photo.
    """
    both, dorsal_only = int((asking & answering).sum()), int((asking & ~answering).sum())
    palmar_only = int((~asking & answering).sum())
    return both * (both - 1) // 2 + both * (dorsal_only + palmar_only) + dorsal_only * palmar_only
