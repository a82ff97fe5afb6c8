"""The threshold above which somebody is named: from a false-positive identification rate, for the gallery's size."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from handnet.errors import EvaluationError
from handnet.gallery.pairings import PairingFit
from handnet.metrics.intervals import draw_people, find_interval
from handnet.metrics.pairs.verification import refuse_rate

# What is tried, in this order, where the user names no rate.
DEFAULT_RATES = (0.01, 0.05, 0.1, 0.3)
NUM_REPLICATES = 400

Array = npt.NDArray[np.float64]


class Threshold(NamedTuple):
    """From which log-likelihood ratio on somebody is named, and what that promises.

    Attributes:
        log_ratio: natural logarithm.
        fpir: the rate asked for, 0..1.
        predicted: fraction of searches for people who are not enrolled that would name somebody.
        interval: 95 % interval of it, from a bootstrap over the calibration people.
        num_people: enrolled people it holds for.
        num_calibration_people: whom it comes from.
        origin: in words.
    """

    log_ratio: float
    fpir: float
    predicted: float
    interval: tuple[float, float]
    num_people: int
    num_calibration_people: int
    origin: str


class Compared(NamedTuple):
    """How many enrolled people a search compares by one pairing.

    Attributes:
        fit: of that pairing.
        num_people: enrolled people.
    """

    fit: PairingFit
    num_people: int


def choose_threshold(
    compared: Sequence[Compared],
    fpir: float | None,
    origin: str,
    *,
    seed: int = 0,
    num_replicates: int = NUM_REPLICATES,
) -> Threshold:
    """Return the lowest threshold at which the predicted FPIR is no more than the one that is asked for.

    Up to as many enrolled people as there were calibration people the prediction counts how many of their searches would
    have named somebody among so many of the others, drawn without putting back. Beyond that it takes comparisons with
    different people as independent, which gives too high a rate rather than too low a one: some probes look like everybody.

    Args:
        compared: the pairings that the search uses; those with nobody are passed over.
        fpir: 0..1; None: the lowest of DEFAULT_RATES that the data carry.
        origin: where the calibration comes from, in words.
        seed: random seed for the bootstrap.
        num_replicates: of the bootstrap.

    Raises:
        EvaluationError: the rate cannot be told from the calibration people, or is no rate.

    Reference:
        Grother, Ngan and Hanaoka, NISTIR 8271, 2019, section 3.1 (FPIR); ISO/IEC 19795-1:2021 (identification rates).
    """
    used = [part for part in compared if part.num_people]
    if not used:
        raise EvaluationError("Nobody is enrolled who can be compared with this photo. Enrol such a hand first.")
    if fpir is None:
        carried = [rate for rate in DEFAULT_RATES if not refuse_fpir(used, rate)]
        if not carried:
            raise EvaluationError(f"No threshold: {refuse_fpir(used, DEFAULT_RATES[-1])}. Calibrate with more people.")
        fpir = carried[0]
    elif not 0 < fpir < 1:
        raise EvaluationError(f"`fpir` must be between 0 and 1. Received: {fpir}.")
    elif reason := refuse_fpir(used, fpir):
        lowest = next((rate for rate in _list_rates() if not refuse_fpir(used, rate)), None)
        hint = f"The lowest that it carries is about {lowest:.0%}" if lowest else "It carries none"
        raise EvaluationError(f"No threshold for an FPIR of {fpir:.3g}: {reason}. {hint}. Calibrate with more people.")
    values = np.unique(np.concatenate([_log_ratios(part.fit)[np.isfinite(part.fit.impostors)] for part in used]))
    # The rate falls as the threshold rises: find the first value that is high enough; above all of them nobody is named.
    candidates = np.append(values, np.nextafter(values[-1], np.inf))
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if predict_fpir(used, float(candidates[middle])) <= fpir:
            high = middle
        else:
            low = middle + 1
    log_ratio = float(candidates[low])
    interval = bootstrap_fpir(used, log_ratio, seed, num_replicates)
    return Threshold(
        log_ratio,
        fpir,
        predict_fpir(used, log_ratio),
        interval,
        sum(part.num_people for part in used),
        min(_count_people(part.fit) for part in used),
        origin,
    )


def refuse_fpir(compared: Sequence[Compared], fpir: float) -> str:
    """Return why a rate cannot be told from the calibration people, or "" where it can.

    Args:
        compared: pairings with how many enrolled people each compares.
        fpir: 0..1.
    """
    for fit, num_people in compared:
        probes = _count_people(fit)
        if reason := refuse_rate(fpir, probes, "calibration people who are not enrolled"):
            return reason
        if num_people >= _count_columns(fit):
            pairs = probes * (_count_columns(fit) - 1) // 2
            if reason := refuse_rate(
                fpir / num_people, pairs, f"pairs of calibration people, for {num_people:,} enrolled,"
            ):
                return reason
    return ""


def predict_fpir(compared: Sequence[Compared], log_ratio: float) -> float:
    """Return the predicted fraction of searches of people who are not enrolled that name somebody at this threshold.

    Args:
        compared: pairings with how many enrolled people each compares.
        log_ratio: the threshold.
    """
    kept = 1.0
    for fit, num_people in compared:
        weights = np.ones((1, fit.impostors.shape[1]))
        kept *= 1.0 - float(_predict(fit, num_people, log_ratio, weights, upper=True)[0])
    return 1.0 - kept


def bootstrap_fpir(
    compared: Sequence[Compared], log_ratio: float, seed: int = 0, num_replicates: int = NUM_REPLICATES
) -> tuple[float, float]:
    """Return the 95 % interval of the FPIR at a threshold over draws of calibration people.

    Two pseudo-people join those drawn from, as in all intervals of the package: one who always is taken for somebody, and one
    who never is.

    Args:
        compared: pairings with how many enrolled people each compares.
        log_ratio: the threshold.
        seed: random seed for the draws.
        num_replicates: of the bootstrap.
    """
    ends = []
    for upper in (False, True):
        kept = np.ones(num_replicates)
        for fit, num_people in compared:
            drawn = draw_people(fit.impostors.shape[1], num_replicates, seed)
            weights, pseudo = drawn[:, :-2], drawn[:, -2:]
            mass = weights[:, np.unique(fit.probe_people)].sum(axis=1)
            rates = _predict(fit, num_people, log_ratio, weights, upper=upper)
            kept *= 1.0 - (rates * mass + pseudo[:, 0]) / np.maximum(mass + pseudo.sum(axis=1), 1.0)
        ends.append(find_interval(1.0 - kept))
    return float(ends[0][0]), float(ends[1][1])


def _predict(fit: PairingFit, num_people: int, log_ratio: float, weights: Array, upper: bool) -> Array:
    """Return the rate for each replicate.

    Args:
        fit: of the pairing.
        num_people: enrolled.
        log_ratio: threshold.
        weights: (R, people) how often each calibration person is drawn.
        upper: for more enrolled than calibration people, take all probes as alike (too high a rate); else each by itself
            (too low a one).
    """
    known = np.isfinite(fit.impostors)
    above = (known & (_log_ratios(fit, fill=-np.inf) >= log_ratio)).astype(np.float64)
    compared = known.astype(np.float64) @ weights.T
    hits = above @ weights.T
    probe_weights = (
        weights[:, fit.probe_people].T
        / np.bincount(fit.probe_people, minlength=weights.shape[1])[fit.probe_people][:, None]
    )
    usable = compared > 0
    share = np.divide(hits, compared, out=np.zeros_like(hits), where=usable)
    mass = np.where(usable, probe_weights, 0.0)
    total = np.maximum(mass.sum(axis=0), 1e-12)
    # Columns are counted as in the data, whatever was drawn: a replicate is as large as they are.
    columns = known.sum(axis=1, dtype=np.float64)[:, None]
    if num_people <= columns.min():
        missed = _miss_all(share * columns, columns, num_people)
        return np.asarray(1.0 - (mass * missed).sum(axis=0) / total)
    if upper:
        return np.asarray(1.0 - (1.0 - (mass * share).sum(axis=0) / total) ** num_people)
    return np.asarray(1.0 - (mass * (1.0 - share) ** num_people).sum(axis=0) / total)


def _miss_all(hits: Array, columns: Array, num_people: int) -> Array:
    """Return the probability that so many people, drawn without putting back, are none of the hits (hypergeometric)."""
    rest = columns - hits
    possible = rest - num_people > -1e-9
    safe = np.where(possible, np.maximum(rest - num_people, 0.0), 0.0)
    logarithm = gammaln(rest + 1) - gammaln(safe + 1) - gammaln(columns + 1) + gammaln(columns - num_people + 1)
    return np.where(possible, np.exp(np.minimum(logarithm, 0.0)), 0.0)


def _log_ratios(fit: PairingFit, fill: float = np.nan) -> Array:
    ratios = fit.compute_log_ratio(fit.impostors)
    return np.where(np.isfinite(ratios), ratios, fill)


def _count_people(fit: PairingFit) -> int:
    return len(np.unique(fit.probe_people))


def _count_columns(fit: PairingFit) -> int:
    return int(np.isfinite(fit.impostors).any(axis=0).sum())


def _list_rates() -> list[float]:
    return [percent / 100 for percent in range(1, 100)]


def describe_threshold(threshold: Threshold) -> str:
    """Return a threshold in one sentence."""
    low, high = threshold.interval
    return (
        f"threshold {threshold.log_ratio:+.2f} (log-likelihood ratio): of people who are not enrolled {threshold.predicted:.1%} "
        f"would be taken for one of {threshold.num_people:,} (95 % interval {low:.1%} to {high:.1%}; asked for: at most "
        f"{threshold.fpir:.3g}); from {threshold.num_calibration_people:,} calibration people, {threshold.origin}"
    )
