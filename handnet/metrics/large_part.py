"""The figures of photos against photos for parts of up to a million photos: ranks exact, rates with stated bounds."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from handnet.console import Progress, hide_progress
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people
from handnet.metrics.intervals import NUM_REPLICATES
from handnet.metrics.pairs.all_pairs import PairScores, count_person_pairs
from handnet.metrics.pairs.block_counts import (
    NUM_FINE_BINS,
    PairLayout,
    ViewRows,
    bin_edges,
    bin_scores,
    count_coarse,
    lay_out,
)
from handnet.metrics.pairs.block_workers import Counts, PairCounts, count_pairs
from handnet.metrics.pairs.pair_intervals import bootstrap_counts
from handnet.metrics.pairs.verification import build_curve, summarize_pairs, thin_curve
from handnet.metrics.protocols import PROTOCOLS, Outcome
from handnet.metrics.ranking import DIRECTIONS, Ranking
from handnet.metrics.ranking_summary import summarize_outcome

# Intervals of ranks draw so many groups of people at most: the draws of each person alone would not fit in memory.
_MAX_DRAWN = 1000


def evaluate_large(
    part: EmbeddedPart,
    folder: Path,
    num_processes: int,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
    progress: Progress = hide_progress,
) -> dict[str, Any]:
    """Compute the figures of the protocol "photo" and of verification from blocks of pairs, of which none is kept.

    Ranks and average precisions are those of `rank_photos`. True and false accept rates are exact at 65,536 thresholds; between
    two of these the exact figures lie within the bounds under "error".

    Args:
        part: photos with views.
        folder: a working folder: a call that was stopped is continued by the next with the same photos. It is deleted at the end.
        num_processes: as `count_pairs`.
        num_replicates: bootstrap replicates; beyond 1,000 people groups of people are drawn for ranks, beyond 64 for rates.
        seed: random seed for the bootstrap.
        progress: as `count_pairs`.

    Returns:
        protocols: {"photo": {direction: figures}} as in metrics.json; verification: `summarize_pairs` with "interval", "curve"
        and "error": {auc, eer, true_accept_rate: {rate: bound}}, the most by which the exact figure may differ.

    Raises:
        EvaluationError: fewer than two people with both views.
        DiskError: the folder cannot be written.
    """
    find_two_view_people(part.identities, part.views)
    layout = lay_out(part)
    counts = count_pairs(layout, folder, num_processes, progress)
    photo = PROTOCOLS["photo"]
    outcomes = rank_large(part, layout, counts)
    figures: dict[str, Any] = {
        direction: summarize_outcome(_draw_groups(outcome), num_replicates, seed)
        for direction, outcome in outcomes.items()
    }
    for direction, outcome in outcomes.items():
        figures[direction]["num_people"] = len(np.unique(outcome.people))
    result = {
        "protocols": {"photo": {"title": photo.title, "definition": photo.definition, **figures}},
        "verification": _summarize(part, layout, counts, num_replicates, seed),
    }
    # There is none where one process had done all before it was time to write.
    if folder.is_dir():
        shutil.rmtree(folder)
    return result


def rank_large(part: EmbeddedPart, layout: PairLayout, counts: PairCounts) -> dict[str, Outcome]:
    """Return the outcomes that `rank_photos` gives, in each direction; queries in the order of the part.

    Args:
        part: the photos.
        layout: of these photos.
        counts: all blocks of it.
    """
    views = {"dorsal": (layout.dorsal, counts.dorsal), "palmar": (layout.palmar, counts.palmar)}
    outcomes = {}
    for direction in DIRECTIONS:
        source, _, target = direction.split("_")
        outcomes[direction] = _rank(part, *views[source], len(views[target][0].rows))
    return outcomes


def _rank(part: EmbeddedPart, side: ViewRows, before: Counts, num_gallery: int) -> Outcome:
    asking = np.flatnonzero(side.num_right > 0)
    asking = asking[np.argsort(side.rows[asking], kind="stable")]
    ordinals = np.arange(len(before)) - np.repeat(side.offsets[:-1], side.num_right) + 1
    positions = ordinals + before
    sums = np.concatenate([[0.0], np.cumsum(ordinals / positions)])
    sums = sums[side.offsets[1:]] - sums[side.offsets[:-1]]
    num_right = side.num_right[asking]
    ranking = Ranking(
        positions[side.offsets[asking]],
        sums[asking] / num_right,
        num_right,
        np.full(len(asking), num_gallery),
    )
    return Outcome(ranking, part.identities[side.rows[asking]], side.rows[asking])


def _draw_groups(outcome: Outcome) -> Outcome:
    """Return the outcome with groups of people in place of people where there are too many of these."""
    names, codes = np.unique(outcome.people, return_inverse=True)
    if len(names) <= _MAX_DRAWN:
        return outcome
    return outcome._replace(people=(codes * _MAX_DRAWN // len(names)).astype(np.str_))


def _summarize(
    part: EmbeddedPart, layout: PairLayout, counts: PairCounts, num_replicates: int, seed: int
) -> dict[str, Any]:
    pairs = _list_scores(part, layout, counts)
    figures = summarize_pairs(pairs)
    # Pairs of the same person, by group.
    group = np.searchsorted(layout.dorsal.starts, np.arange(len(layout.dorsal.rows)), side="right") - 1
    group = np.repeat(group, layout.dorsal.num_right)
    genuine = np.stack(
        [count_coarse(bin_scores(layout.genuine[group == g]), layout.coarse) for g in range(layout.num_groups)]
    ).astype(np.float64)
    figures["interval"] = bootstrap_counts(genuine, counts.groups.astype(np.float32), figures, num_replicates, seed)
    figures["error"] = bound_errors(pairs, figures)
    curve = thin_curve(build_curve(pairs))
    figures["curve"] = {"false_accept": curve.false_accept.tolist(), "true_accept": curve.true_accept.tolist()}
    return figures


def _list_scores(part: EmbeddedPart, layout: PairLayout, counts: PairCounts) -> PairScores:
    """Return the pairs with a threshold at the lower edge of each bin."""
    # At the centres of their bins, so that no score is on an edge.
    half = np.float32(1.0 / NUM_FINE_BINS)
    genuine = np.repeat(bin_edges(NUM_FINE_BINS) + half, bin_scores(layout.genuine))
    at = np.cumsum(counts.histogram[::-1])[::-1]
    names = np.unique(part.identities)
    views = [np.isin(names, part.identities[part.views == view]) for view in ("dorsal", "palmar")]
    return PairScores(
        genuine,
        np.empty(0, np.str_),
        int(counts.histogram.sum()),
        len(names),
        count_person_pairs(*views),
        bin_edges(NUM_FINE_BINS),
        at,
        at,
        counts.histogram,
    )


def bound_errors(pairs: PairScores, figures: dict[str, Any]) -> dict[str, Any]:
    """Return the most by which figures from bins may differ from those of the scores themselves.

    Between two thresholds the curve rises from one known point to the next, in an unknown way.

    Args:
        pairs: counted at the edges of bins.
        figures: `summarize_pairs(pairs)`.

    Returns:
        auc, eer, and true_accept_rate: {rate: bound}.
    """
    curve = build_curve(pairs)
    rises = np.diff(curve.true_accept) * np.diff(curve.false_accept)
    gap = curve.false_accept + curve.true_accept - 1.0
    after = int(np.argmax(gap >= 0))
    step = max(
        curve.false_accept[after] - curve.false_accept[after - 1],
        curve.true_accept[after] - curve.true_accept[after - 1],
    )
    rates = {}
    for rate, value in figures["true_accept_rate"].items():
        above = int(np.argmax(curve.false_accept > float(rate)))
        rates[rate] = float(curve.true_accept[above] - value)
    return {"auc": float(rises.sum() / 2), "eer": float(step), "true_accept_rate": rates}
