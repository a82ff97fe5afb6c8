"""Are these two photos of one person? ROC, AUC, EER, and the errors at a threshold that was chosen on other people."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError, format_unknown
from handnet.metrics.pairs.all_pairs import PairScores

FALSE_ACCEPT_RATES = (0.1, 0.01, 0.001, 0.0001)
CRITERIA = ("equal_error", "best_f1")

Array = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """The vertices of an ROC curve, from accepting nothing to accepting everything.

    Attributes:
        false_accept: (V,) fraction of impostor pairs accepted, ascending.
        true_accept: (V,) fraction of genuine pairs accepted, ascending.
        thresholds: (V,) the similarity from which on pairs are accepted, descending.
    """

    false_accept: Array
    true_accept: Array
    thresholds: Array


def build_curve(pairs: PairScores) -> Curve:
    """Return the exact ROC curve; between two neighbouring thresholds impostors alone come in, along a level line.

    Args:
        pairs: scores of all pairs.
    """
    thresholds = pairs.thresholds[::-1]
    num_genuine = len(pairs.genuine)
    false = np.stack([pairs.impostors_above, pairs.impostors_at])[:, ::-1] / pairs.num_impostor
    sides = [np.searchsorted(pairs.genuine, thresholds, side=side) for side in ("right", "left")]
    true = 1.0 - np.stack(sides) / num_genuine
    # Just above a threshold it still rejects its own pairs.
    above = np.nextafter(thresholds, np.float32(2))
    return Curve(
        np.concatenate([[0.0], false.T.ravel(), [1.0]]),
        np.concatenate([[0.0], true.T.ravel(), [1.0]]),
        np.concatenate([[np.inf], np.stack([above, thresholds]).T.ravel(), [-np.inf]]).astype(np.float64),
    )


def compute_auc(curve: Curve) -> float:
    """Return the area under the ROC curve: P(genuine > impostor) + P(equal) / 2.

    Args:
        curve: an ROC curve.
    """
    return float(np.trapezoid(curve.true_accept, curve.false_accept))


def compute_eer(curve: Curve) -> tuple[float, float]:
    """Return the equal error rate, where the curve meets the line of equal errors, and its threshold.

    Args:
        curve: an ROC curve.
    """
    gap = curve.false_accept + curve.true_accept - 1.0
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    rate = curve.false_accept[before] + share * (curve.false_accept[after] - curve.false_accept[before])
    # The curve is a staircase: the threshold is the vertex whose two errors are the nearest to each other.
    finite = np.isfinite(curve.thresholds)
    nearest = int(np.argmin(np.where(finite, np.abs(gap), np.inf)))
    return float(rate), float(curve.thresholds[nearest])


def find_true_accept(curve: Curve, false_accept_rate: float) -> float:
    """Return the highest fraction of genuine pairs accepted with at most this fraction of impostor pairs.

    Args:
        curve: an ROC curve.
        false_accept_rate: 0..1. No interpolation between operating points.
    """
    return float(curve.true_accept[curve.false_accept <= false_accept_rate].max())


_LOWEST_COUNTED_RATE = 1e-15


def refuse_rate(rate: float, num_units: int, units: str) -> str:
    """Return why a rate cannot be stated from this many independent trials, or "" where it can.

    The rule of three: after n trials without an error the 95 % upper bound of the error rate is 3 / n, so nothing below
    3 / n can be told from zero. The photos of two people are one trial, however many they are.

    Args:
        rate: the error rate to be stated, 0..1.
        num_units: independent trials: people, or pairs of people.
        units: what they are, e.g. "pairs of different people".

    Reference:
        Jovanovic and Levy, A Look at the Rule of Three, The American Statistician 51(2), 1997.
    """
    if rate * num_units >= 3:
        return ""
    # The quotient of a rate next to zero is infinite.
    needed = f"{int(np.ceil(3 / rate)):,}" if rate > _LOWEST_COUNTED_RATE else "more than can be counted"
    return f"{num_units:,} {units} cannot carry a rate of {100 * rate:g} %: by the rule of three it takes {needed}"


def choose_threshold(pairs: PairScores, criterion: str = "equal_error") -> float:
    """Return the similarity from which on two photos are called the same person. Never call it on test people.

    Args:
        pairs: scores of validation people.
        criterion: "equal_error": both error rates equal, for any mix of pairs; "best_f1": the highest F1 on this mix.

    Raises:
        EvaluationError: an unknown criterion.
    """
    curve = build_curve(pairs)
    if criterion == "equal_error":
        return compute_eer(curve)[1]
    if criterion == "best_f1":
        true, false = curve.true_accept * len(pairs.genuine), curve.false_accept * pairs.num_impostor
        f1 = 2 * true / (len(pairs.genuine) + true + false)
        return float(curve.thresholds[int(np.argmax(np.where(np.isfinite(curve.thresholds), f1, -1.0)))])
    raise EvaluationError(format_unknown("criterion", criterion, CRITERIA))


def measure_threshold(pairs: PairScores, threshold: float) -> dict[str, Any]:
    """Return the confusion matrix at a threshold and what follows from it, with chance.

    Args:
        pairs: scores of test people, counted at the threshold (`score_pairs(part, [threshold])`).
        threshold: similarity.

    Returns:
        threshold, confusion (counts), false_accept_rate, false_reject_rate, precision, f1, accuracy, balanced_accuracy;
        "chance": the best that deciding without looking reaches in each (accept all: F1; the larger class: accuracy).

    Raises:
        EvaluationError: impostors were not counted at this threshold.
    """
    index = int(np.searchsorted(pairs.thresholds, np.float32(threshold)))
    if index == len(pairs.thresholds) or pairs.thresholds[index] != np.float32(threshold):
        raise EvaluationError(
            f"Impostors must be counted at the threshold. Received: {threshold}, which was not counted."
        )
    num_genuine, num_impostor = len(pairs.genuine), pairs.num_impostor
    true = num_genuine - int(np.searchsorted(pairs.genuine, np.float32(threshold), side="left"))
    false = int(pairs.impostors_at[index])
    return {"threshold": float(threshold), **compute_rates(true, num_genuine, false, num_impostor)}


def compute_rates(true_accepts: int, num_genuine: int, false_accepts: int, num_impostor: int) -> dict[str, Any]:
    """Return what follows from a confusion matrix; see `measure_threshold`.

    Args:
        true_accepts: genuine pairs accepted.
        num_genuine: genuine pairs.
        false_accepts: impostor pairs accepted.
        num_impostor: impostor pairs.
    """
    total = num_genuine + num_impostor
    accepted = true_accepts + false_accepts
    true_rate, false_rate = true_accepts / num_genuine, false_accepts / num_impostor
    share = num_genuine / total
    return {
        "confusion": {
            "true_accepts": true_accepts,
            "false_rejects": num_genuine - true_accepts,
            "false_accepts": false_accepts,
            "true_rejects": num_impostor - false_accepts,
        },
        "false_accept_rate": false_rate,
        "false_reject_rate": 1.0 - true_rate,
        "precision": true_accepts / accepted if accepted else 0.0,
        "f1": 2 * true_accepts / (num_genuine + accepted),
        "accuracy": (true_accepts + num_impostor - false_accepts) / total,
        "balanced_accuracy": (true_rate + 1.0 - false_rate) / 2,
        "chance": {
            "f1": 2 * share / (1 + share),
            "accuracy": max(share, 1 - share),
            "balanced_accuracy": 0.5,
            "precision": share,
        },
    }


def summarize_pairs(pairs: PairScores) -> dict[str, Any]:
    """Return the figures of verification that need no threshold, with chance; rates that cannot be stated are refused.

    Args:
        pairs: scores of test people.

    Returns:
        num_people, num_genuine, num_impostor, num_person_pairs, auc, eer, true_accept_rate: {rate: value},
        refused: {rate: reason}, chance: the same figures of random scores.
    """
    curve = build_curve(pairs)
    refused = {
        rate: refuse_rate(rate, pairs.num_person_pairs, "pairs of different people") for rate in FALSE_ACCEPT_RATES
    }
    carried = [rate for rate, reason in refused.items() if not reason]
    return {
        "num_people": pairs.num_people,
        "num_genuine": len(pairs.genuine),
        "num_impostor": pairs.num_impostor,
        "num_person_pairs": pairs.num_person_pairs,
        "auc": compute_auc(curve),
        "eer": compute_eer(curve)[0],
        "true_accept_rate": {f"{rate:g}": find_true_accept(curve, rate) for rate in carried},
        "refused": {f"{rate:g}": reason for rate, reason in refused.items() if reason},
        "chance": {"auc": 0.5, "eer": 0.5, "true_accept_rate": {f"{rate:g}": rate for rate in carried}},
    }


def thin_curve(curve: Curve, num_points: int = 200) -> Curve:
    """Return at most some vertices of a curve, evenly spread over the logarithm of both errors, for plots and files.

    Args:
        curve: an ROC curve.
        num_points: about how many to keep.
    """
    if len(curve.thresholds) <= num_points:
        return curve
    grid = np.geomspace(1e-6, 1.0, num_points // 2)
    by_accept = np.searchsorted(curve.false_accept, grid, side="right") - 1
    by_reject = np.searchsorted(curve.true_accept, 1.0 - grid, side="left")
    kept = np.unique(np.clip(np.concatenate([[0, len(curve.thresholds) - 1], by_accept, by_reject]), 0, None))
    kept = kept[kept < len(curve.thresholds)]
    return Curve(*(column[kept] for column in curve))
