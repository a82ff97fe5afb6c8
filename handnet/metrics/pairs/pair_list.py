"""Verification on a list of pairs, e.g. LFW's: AUC, F1, accuracy and the confusion matrix, with intervals over people."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.metrics.intervals import NUM_REPLICATES, draw_people, find_interval
from handnet.metrics.pairs.all_pairs import PairScores, count_bins
from handnet.metrics.pairs.verification import build_curve, measure_threshold, summarize_pairs, thin_curve

Array = npt.NDArray[np.float64]


def score_cosine(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return the cosine of each row of `first` with that of `second`, both (N, D) of unit length.

    The distance of unit vectors is √(2 - 2 cos): a threshold on it is one on the cosine.
    """
    return np.asarray(np.sum(np.asarray(first, np.float32) * np.asarray(second, np.float32), axis=1), np.float32)


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
        thresholds: scores at which impostors are counted in addition to the genuine scores.

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


def evaluate_pair_list(
    scores: npt.NDArray[np.floating],
    same: npt.NDArray[np.bool_],
    people: npt.NDArray[np.str_],
    threshold: float | None,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate scores of pairs at a threshold that was chosen on other people.

    Args:
        scores: (N,) higher for the same person.
        same: (N,) whether it is.
        people: (N, 2) the people of each pair.
        threshold: from which on a pair is called the same person; None where none was chosen on other people: then there are
            only the figures that need none, auc and eer.
        num_replicates: bootstrap replicates.
        seed: random seed for the draws; equal seeds draw equal people, so that systems can be compared.

    Returns:
        num_pairs, num_same, num_people, auc, eer, f1, accuracy, precision, false_accept_rate, false_reject_rate, threshold,
        confusion (counts), chance, interval (95 %, of each figure) and curve.

    Raises:
        EvaluationError: as `collect_pairs`, or pairs of fewer than two people.
    """
    # One rounding for all that follows: a pair that is its own threshold lies on one side of it everywhere.
    values = np.asarray(scores, np.float32)
    at = 0.0 if threshold is None else threshold
    pairs = collect_pairs(values, same, people, [at])
    summary = summarize_pairs(pairs)
    verdict: dict[str, Any] = {"chance": {}} if threshold is None else measure_threshold(pairs, threshold)
    curve = thin_curve(build_curve(pairs))
    replicates = bootstrap_pair_list(values, same, people, np.float32(at), num_replicates, seed)
    if threshold is None:
        replicates = {"auc": replicates["auc"]}
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
    The two pseudo-people have genuine pairs, as many as a person who has any: those of one are always recognised, those of
    the other look like impostors'.

    Args:
        scores: (N,).
        same: (N,).
        people: (N, 2).
        threshold: from which on a pair is accepted.
        num_replicates: R.
        seed: random seed for the draws.

    Returns:
        (R',) each of auc, f1, accuracy, precision, false_accept_rate and false_reject_rate; draws without a pair of either
        kind are left out.
    """
    names, codes = np.unique(people, return_inverse=True)
    codes = codes.reshape(people.shape)
    drawn = draw_people(len(names), num_replicates, seed)
    size, num_impostor = same.sum() / len(np.unique(codes[same, 0])), (~same).sum()
    # The last column is the pseudo-person who is always recognised; the other's pairs have the impostors' scores.
    scores = np.append(scores, np.float32(np.inf))
    genuine, impostor = (np.zeros((num_replicates, len(scores))) for _ in range(2))
    genuine[:, :-1] = np.where(same, drawn[:, codes[:, 0]], size * drawn[:, -1:] / num_impostor)
    genuine[:, -1] = size * drawn[:, -2]
    impostor[:, :-1] = np.where(same, 0.0, drawn[:, codes[:, 0]] * drawn[:, codes[:, 1]])
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
