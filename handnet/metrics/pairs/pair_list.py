"""Verification on a list of pairs, as LFW's: AUC, F1, accuracy and the confusion matrix, with intervals over people."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.metrics.intervals import NUM_REPLICATES, draw_weights, find_interval
from handnet.metrics.pairs.all_pairs import PairScores, count_bins
from handnet.metrics.pairs.verification import build_curve, judge_threshold, summarize_pairs, thin_curve

Array = npt.NDArray[np.float64]
INTERVAL_FIGURES = ("auc", "f1", "accuracy", "precision", "false_accept_rate", "false_reject_rate")


def collect_pairs(
    scores: npt.NDArray[np.floating],
    same: npt.NDArray[np.bool_],
    people: npt.NDArray[np.str_],
    thresholds: npt.ArrayLike = (),
) -> PairScores:
    """Return the scores of a list of pairs in the form that curves, thresholds and calibration are computed from.

    Args:
        scores: (N,) -1..1, higher for the same person.
        same: (N,) whether it is.
        people: (N, 2) the two people of each pair: a person in many pairs still counts once.
        thresholds: scores at which impostors are counted, besides the genuine scores.

    Raises:
        EvaluationError: lengths that do not fit, one kind of pair is missing, or scores are not finite.
    """
    if not (len(scores) == len(same) == len(people)):
        raise EvaluationError(
            f"Expected a label and two people for each score. Received: {len(scores)} scores, {len(same)} labels and "
            f"{len(people)} pairs of people."
        )
    values = np.asarray(scores, np.float32)
    order = np.argsort(values[same], kind="stable")
    genuine, impostor = values[same][order], np.sort(values[~same])
    if not len(genuine) or not len(impostor) or not np.isfinite(values).all():
        raise EvaluationError(
            "Verification needs finite similarities of pairs of the same and of different people. "
            f"Received: {len(genuine)} and {len(impostor)}, {int((~np.isfinite(values)).sum())} of them NaN or infinite."
        )
    edges = np.unique(np.concatenate([genuine, np.asarray(thresholds, dtype=np.float32)]))
    return PairScores(
        genuine,
        people[same][order, 0],
        len(impostor),
        len(np.unique(people)),
        len(np.unique(np.sort(people[~same], axis=1), axis=0)),
        edges,
        len(impostor) - np.searchsorted(impostor, edges, side="right"),
        len(impostor) - np.searchsorted(impostor, edges, side="left"),
        count_bins(impostor),
    )


def judge_pair_list(
    scores: npt.NDArray[np.floating],
    same: npt.NDArray[np.bool_],
    people: npt.NDArray[np.str_],
    threshold: float,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge scores of pairs at a threshold that was chosen on other people.

    Args:
        scores: (N,) higher for the same person.
        same: (N,) whether it is.
        people: (N, 2) the people of each pair.
        threshold: from which on a pair is called the same person.
        num_replicates: bootstrap replicates.
        seed: of the draws; equal seeds draw equal people, so that systems can be compared.

    Returns:
        num_pairs, num_same, num_people, auc, eer, f1, accuracy, precision, false_accept_rate, false_reject_rate, threshold,
        confusion (counts), chance, interval (95 %, of each figure) and curve.

    Raises:
        EvaluationError: as `collect_pairs`, or pairs of fewer than two people.
    """
    # One rounding for all that follows: a pair that is its own threshold lies on one side of it everywhere.
    values = np.asarray(scores, np.float32)
    pairs = collect_pairs(values, same, people, [threshold])
    summary, verdict = summarize_pairs(pairs), judge_threshold(pairs, threshold)
    curve = thin_curve(build_curve(pairs))
    replicates = bootstrap_pair_list(values, same, people, np.float32(threshold), num_replicates, seed)
    return {
        "num_pairs": len(values),
        "num_same": int(same.sum()),
        "num_people": len(np.unique(people)),
        "auc": summary["auc"],
        "eer": summary["eer"],
        **{name: value for name, value in verdict.items() if name != "chance"},
        "chance": {"auc": 0.5, "eer": 0.5, **verdict["chance"]},
        "interval": {name: find_interval(values).tolist() for name, values in replicates.items()},
        "curve": {"false_accept": curve.false_accept.tolist(), "true_accept": curve.true_accept.tolist()},
    }


def bootstrap_pair_list(
    scores: npt.NDArray[np.float32],
    same: npt.NDArray[np.bool_],
    people: npt.NDArray[np.str_],
    threshold: np.float32,
    num_replicates: int,
    seed: int,
) -> dict[str, Array]:
    """Return bootstrap replicates of the figures of a list of pairs, people drawn with all of their pairs.

    A pair of one person weighs as often as the person was drawn, a pair of two people as often as both were: the product.
    Unlike `bootstrap_means` nobody is added who is always right or wrong, so a figure at its bound gets too narrow an interval.

    Args:
        scores: (N,).
        same: (N,).
        people: (N, 2).
        threshold: from which on a pair is accepted.
        num_replicates: R.
        seed: of the draws.

    Returns:
        (R',) of each of INTERVAL_FIGURES; draws without a pair of either kind are left out.
    """
    names, codes = np.unique(people, return_inverse=True)
    if len(names) < 2:
        raise EvaluationError(f"An interval over people needs at least two people. Received: {len(names)}.")
    codes = codes.reshape(people.shape)
    drawn = draw_weights(len(names), num_replicates, seed)
    weights = np.where(same, drawn[:, codes[:, 0]], drawn[:, codes[:, 0]] * drawn[:, codes[:, 1]])
    genuine, impostor = weights * same, weights * ~same
    usable = (genuine.sum(axis=1) > 0) & (impostor.sum(axis=1) > 0)
    genuine, impostor = genuine[usable], impostor[usable]
    totals = genuine.sum(axis=1), impostor.sum(axis=1)
    accepted = scores >= threshold
    true, false = genuine[:, accepted].sum(axis=1), impostor[:, accepted].sum(axis=1)
    return {
        "auc": _weighted_auc(scores, genuine, impostor),
        "f1": 2 * true / (totals[0] + true + false),
        "accuracy": (true + totals[1] - false) / (totals[0] + totals[1]),
        "precision": np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0),
        "false_accept_rate": false / totals[1],
        "false_reject_rate": 1 - true / totals[0],
    }


def _weighted_auc(scores: npt.NDArray[np.float32], genuine: Array, impostor: Array) -> Array:
    """Return P(genuine > impostor) + P(equal) / 2 under each row of weights."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) > 0]))
    same = np.add.reduceat(genuine[:, order], starts, axis=1)
    different = np.add.reduceat(impostor[:, order], starts, axis=1)
    below = np.cumsum(different, axis=1) - different / 2
    return np.asarray((same * below).sum(axis=1) / (same.sum(axis=1) * different.sum(axis=1)))
