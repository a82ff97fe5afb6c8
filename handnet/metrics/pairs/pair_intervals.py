"""Intervals of the figures of verification: people are drawn, and a pair weighs as often as both its people were drawn."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.intervals import NUM_REPLICATES, draw_people, find_interval, shift_interval
from handnet.metrics.pairs.all_pairs import PairScores
from handnet.metrics.pairs.verification import FALSE_ACCEPT_RATES, compute_rates

MAX_GROUPS = 256
NUM_BINS = 160
_REPLICATES_AT_ONCE = 50

Array = npt.NDArray[np.float64]
Table = npt.NDArray[np.float32]


def choose_edges(pairs: PairScores, thresholds: npt.ArrayLike = ()) -> npt.NDArray[np.float32]:
    """Return similarities that cut the pairs into bins: fine where the genuine pairs lie and in the impostors' tail.

    Args:
        pairs: scores of all pairs.
        thresholds: similarities that must be among the edges.

    Returns:
        float32 (B,) ascending; bin b holds the scores from edge b-1 up to edge b.
    """
    num_genuine = NUM_BINS * 2 // 3
    genuine = np.quantile(pairs.genuine, np.linspace(0, 1, num_genuine), method="nearest")
    rates = np.geomspace(max(1.0 / pairs.num_impostor, 1e-6), 0.9, NUM_BINS - num_genuine)
    tail = np.cumsum(pairs.impostor_histogram[::-1]) / pairs.num_impostor
    bins = len(tail) - 1 - np.searchsorted(tail, rates)
    impostor = bins * 2.0 / len(tail) - 1.0
    edges = np.concatenate([genuine, impostor, np.asarray(thresholds, dtype=np.float64)])
    return np.unique(edges.astype(np.float32))


def bin_pairs(part: EmbeddedPart, edges: npt.NDArray[np.float32]) -> tuple[Array, Table]:
    """Count the pairs of every two people in bins of similarity.

    Beyond 256 people, groups of people stand for people: drawing groups is just as valid, with fewer and larger units.

    Args:
        part: the photos.
        edges: float32 (B,) ascending.

    Returns:
        Genuine pairs (P, B + 1), and impostor pairs (P, P, B + 1), dorsal person first.
    """
    names, codes = np.unique(part.identities, return_inverse=True)
    groups = codes * min(len(names), MAX_GROUPS) // len(names)
    num_groups, num_bins = int(groups.max()) + 1, len(edges) + 1
    dorsal, palmar = part.views == "dorsal", part.views == "palmar"
    genuine = np.zeros((num_groups, num_bins))
    impostor = np.zeros((num_groups, num_groups, num_bins), dtype=np.float32)
    palms = part.embeddings[palmar].T
    for person in np.unique(codes[dorsal]):
        mine = dorsal & (codes == person)
        bins = np.searchsorted(edges, part.embeddings[mine] @ palms, side="right")
        own = codes[palmar] == person
        group = groups[mine][0]
        genuine[group] += np.bincount(bins[:, own].ravel(), minlength=num_bins)
        cells = groups[palmar][~own] * num_bins + bins[:, ~own]
        counts = np.bincount(cells.ravel(), minlength=num_groups * num_bins)
        impostor[group] += counts.reshape(num_groups, num_bins)
    return genuine, impostor


def bootstrap_pairs(
    part: EmbeddedPart,
    pairs: PairScores,
    figures: dict[str, Any],
    thresholds: dict[str, float],
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Return 95 % intervals of AUC, EER, TAR@FAR and of the errors at thresholds.

    The two pseudo-people have genuine pairs: those of one are always recognised, those of the other look like impostors'.

    Args:
        part: the photos.
        pairs: their scores, counted at the thresholds.
        figures: `summarize_pairs(pairs)`.
        thresholds: name → similarity.
        num_replicates: bootstrap replicates.
        seed: random seed for the draws.

    Returns:
        auc, eer: [low, high]; true_accept_rate: {rate: [low, high]}; thresholds: {name: {figure: [low, high]}}.
    """
    edges = choose_edges(pairs, [*thresholds.values()])
    genuine, impostor = bin_pairs(part, edges)
    num_bins = impostor.shape[2]
    same, different = _replicate(genuine, impostor, num_replicates, seed)
    result: dict[str, Any] = {**_bound_figures(same, different, figures), "thresholds": {}}
    for name, threshold in thresholds.items():
        # Accepted is what lies in the bins from the threshold's edge upwards.
        column = num_bins - 1 - int(np.searchsorted(edges, np.float32(threshold)))
        rows = [
            compute_rates(*cells)
            for cells in zip(same[:, column], same[:, -1], different[:, column], different[:, -1], strict=True)
        ]
        result["thresholds"][name] = {
            figure: [float(v) for v in find_interval(np.array([row[figure] for row in rows[1:]]))]
            for figure in ("false_accept_rate", "false_reject_rate", "precision", "f1", "accuracy", "balanced_accuracy")
        }
    return result


def bootstrap_counts(
    genuine: Array, impostor: Table, figures: dict[str, Any], num_replicates: int = NUM_REPLICATES, seed: int = 0
) -> dict[str, Any]:
    """Return 95 % intervals of AUC, EER and TAR@FAR from pairs that are counted in bins already.

    Args:
        genuine: (P, B) pairs of the same person, by person or group of people and bin of rising similarity.
        impostor: (P, P, B) pairs of different people.
        figures: `summarize_pairs` of the same pairs.
        num_replicates: bootstrap replicates.
        seed: random seed for the draws.

    Returns:
        auc, eer: [low, high]; true_accept_rate: {rate: [low, high]}.
    """
    return _bound_figures(*_replicate(genuine, impostor, num_replicates, seed), figures)


def _replicate(genuine: Array, impostor: Table, num_replicates: int, seed: int) -> tuple[Array, Array]:
    """Return the genuine and impostor pairs accepted at falling thresholds: of everybody once, then of each replicate."""
    total = impostor.sum(axis=(0, 1), dtype=np.float64)
    weights = draw_people(len(impostor), num_replicates, seed)
    drawn_genuine, drawn_impostor = draw_pair_counts(genuine, impostor, weights)
    usable = drawn_impostor.sum(axis=1) > 0
    same = _accept(np.concatenate([genuine.sum(axis=0)[None], drawn_genuine[usable]]))
    return same, _accept(np.concatenate([total[None], drawn_impostor[usable]]))


def _bound_figures(same: Array, different: Array, figures: dict[str, Any]) -> dict[str, Any]:
    true, false = same / same[:, -1:], different / different[:, -1:]
    rates = figures["true_accept_rate"]
    carried = [rate for rate in FALSE_ACCEPT_RATES if f"{rate:g}" in rates]
    return {
        "auc": shift_interval(np.asarray(np.trapezoid(true, false, axis=1)), figures["auc"]),
        "eer": shift_interval(_cross(true, false), figures["eer"]),
        "true_accept_rate": {
            f"{rate:g}": shift_interval(
                np.array([np.interp(rate, f, t) for f, t in zip(false, true, strict=True)]), rates[f"{rate:g}"]
            )
            for rate in carried
        },
    }


def draw_pair_counts(genuine: Array, impostor: Table, weights: Array) -> tuple[Array, Array]:
    """Return the bins' genuine and impostor pairs in every replicate, those of the two pseudo-people among the genuine ones.

    Args:
        genuine: (P, B) from `bin_pairs`.
        impostor: (P, P, B) from `bin_pairs`.
        weights: (R, P + 2) from `draw_people`.

    Returns:
        (R, B) of genuine and of impostor pairs.
    """
    total = impostor.sum(axis=(0, 1), dtype=np.float64)
    size = genuine.sum() / max(np.count_nonzero(genuine.sum(axis=1)), 1)
    pseudo = np.zeros((2, genuine.shape[1]))
    pseudo[0, -1] = size
    pseudo[1] = size * total / total.sum()
    drawn = weights[:, : len(impostor)].astype(np.float32)
    flat = impostor.reshape(len(impostor), -1)
    blocks = []
    for first in range(0, len(drawn), _REPLICATES_AT_ONCE):
        block = drawn[first : first + _REPLICATES_AT_ONCE]
        asked = (block @ flat).reshape(len(block), len(impostor), -1)
        blocks.append(np.einsum("rp,rpb->rb", block, asked, dtype=np.float64))
    return np.asarray(weights @ np.concatenate([genuine, pseudo])), np.concatenate(blocks)


def _accept(counts: Array) -> Array:
    """Return the pairs accepted at falling thresholds: from none (all bins rejected) to all."""
    accepted = np.cumsum(counts[:, ::-1], axis=1)
    return np.concatenate([np.zeros((len(counts), 1)), accepted], axis=1)


def _cross(true: Array, false: Array) -> Array:
    gap = true + false - 1.0
    after = np.argmax(gap >= 0, axis=1)[:, None]
    low, high = (np.take_along_axis(gap, index, axis=1) for index in (after - 1, after))
    share = -low / (high - low)
    before, behind = (np.take_along_axis(false, index, axis=1) for index in (after - 1, after))
    return np.asarray((before + share * (behind - before))[:, 0])
