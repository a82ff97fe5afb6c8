"""The threshold above which somebody is named: from a false-positive identification rate, for the gallery's size."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, gammaln

from handnet.errors import ConfigError, EvaluationError, format_unknown
from handnet.gallery.pairings import PairingFit
from handnet.metrics.intervals import draw_people, find_interval
from handnet.metrics.pairs.verification import refuse_rate

# What is tried, in this order, where the user names no rate.
DEFAULT_RATES = (0.01, 0.05, 0.1, 0.3)
# What the rate that is asked for is of the threshold: the best estimate of its FPIR, or the upper end of the 95 % interval.
BOUNDS = ("estimate", "upper")
NUM_REPLICATES = 1000
_LOWER, _UPPER = 0.025, 0.975

Array = npt.NDArray[np.float64]


class Threshold(NamedTuple):
    """From which log-likelihood ratio on somebody is named, and what that promises.

    Attributes:
        log_ratio: natural logarithm.
        fpir: the rate asked for, 0..1.
        bound: of BOUNDS, what is no higher than `fpir`: `predicted`, or the upper end of `interval`.
        predicted: fraction of searches for people who are not enrolled that would name somebody: the best estimate.
        interval: 95 % interval of it, from a bootstrap over the calibration people.
        num_people: enrolled people it holds for.
        num_calibration_people: whom it comes from.
        origin: in words.
    """

    log_ratio: float
    fpir: float
    bound: str
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
    bound: str = "estimate",
    seed: int = 0,
    num_replicates: int = NUM_REPLICATES,
) -> Threshold:
    """Return the lowest threshold whose FPIR is no more than the rate that is asked for.

    By "estimate" its best estimate is: then the rate is right on average, and for every other set of calibration people the
    true one is higher, within the interval. By "upper" the end of its 95 % interval is: with few calibration people that
    takes a threshold which many who are enrolled do not reach either. The person is the unit: photos of one are one trial.
    Up to as many enrolled people as there were calibration people the prediction counts how many of their searches would
    have named somebody among so many of the others, drawn without putting back. Beyond that it takes comparisons with
    different people as independent, which gives too high a rate rather than too low a one: some probes look like everybody.

    Args:
        compared: the pairings that the search uses; those with nobody are passed over.
        fpir: 0..1; None: the lowest of DEFAULT_RATES that the data carry.
        origin: where the calibration comes from, in words.
        bound: one of BOUNDS.
        seed: random seed for the bootstrap.
        num_replicates: of the bootstrap.

    Raises:
        EvaluationError: the rate cannot be told from the calibration people, or is no rate.
        ConfigError: an unknown bound.

    Reference:
        Grother, Ngan and Hanaoka, NISTIR 8271, 2019, section 3.1 (FPIR); ISO/IEC 19795-1:2021 (identification rates).
    """
    if bound not in BOUNDS:
        raise ConfigError(format_unknown("bound of the FPIR", bound, BOUNDS))
    used = [part for part in compared if part.num_people]
    if not used:
        raise EvaluationError("Nobody is enrolled who can be compared with this photo. Enrol such a hand first.")
    values = np.unique(np.concatenate([_log_ratios(part.fit)[np.isfinite(part.fit.impostors)] for part in used]))
    # Above all values: no calibration person would have been named, and `floor` is what the interval leaves open even then.
    candidates = np.append(values, np.nextafter(values[-1], np.inf))

    def find_rate(log_ratio: float) -> float:
        if bound == "estimate":
            return predict_fpir(used, log_ratio)
        return bootstrap_fpir(used, log_ratio, seed, num_replicates)[1]

    floor = find_rate(float(candidates[-1]))
    if fpir is None:
        carried = [rate for rate in DEFAULT_RATES if not _refuse(used, rate, floor)]
        if not carried:
            reason = _refuse(used, DEFAULT_RATES[-1], floor)
            raise EvaluationError(f"No threshold: {reason}. Calibrate with more people.")
        fpir = carried[0]
    elif not 0 < fpir < 1:
        raise EvaluationError(f"`fpir` must be between 0 and 1. Received: {fpir}.")
    elif reason := _refuse(used, fpir, floor):
        lowest = next((rate for rate in _list_rates() if not _refuse(used, rate, floor)), None)
        hint = f"The lowest that it carries is about {lowest:.0%}" if lowest else "It carries none"
        raise EvaluationError(f"No threshold for an FPIR of {fpir:.3g}: {reason}. {hint}. Calibrate with more people.")
    # The rate falls as the threshold rises: find the first value that is high enough.
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if find_rate(float(candidates[middle])) <= fpir:
            high = middle
        else:
            low = middle + 1
    log_ratio = float(candidates[low])
    return Threshold(
        log_ratio,
        fpir,
        bound,
        predict_fpir(used, log_ratio),
        bootstrap_fpir(used, log_ratio, seed, num_replicates),
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
        if num_people > _count_least_columns(fit) and (
            reason := refuse_rate(
                fpir / num_people, _count_pairs(fit), f"pairs of calibration people, for {num_people:,} enrolled,"
            )
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
    who never is. The interval is no narrower than that of as many independent people (Clopper and Pearson, 1934): draws with
    putting back hold some people several times, so that a gallery of nearly all of them varies too little. For more enrolled
    people than were calibrated with, few pairs or none reach the threshold, and the interval ends no lower than what the
    number of pairs leaves open (for none of them the rule of three).

    Args:
        compared: pairings with how many enrolled people each compares; all of one calibration.
        log_ratio: the threshold.
        seed: random seed for the draws.
        num_replicates: of the bootstrap.
    """
    is_exact = all(num_people <= _count_least_columns(fit) for fit, num_people in compared)
    ends = []
    for upper in (True,) if is_exact else (False, True):
        kept, masses = np.ones(num_replicates), []
        for fit, num_people in compared:
            # The same draws for each pairing: its people are the same.
            drawn = draw_people(fit.impostors.shape[1], num_replicates, seed)
            weights, pseudo = drawn[:, :-2], drawn[:, -2:]
            masses.append(weights[:, np.unique(fit.probe_people)].sum(axis=1))
            kept *= 1.0 - _predict(fit, num_people, log_ratio, weights, upper=upper)
        mass = np.min(masses, axis=0)
        ends.append(find_interval(((1.0 - kept) * mass + pseudo[:, 0]) / np.maximum(mass + pseudo.sum(axis=1), 1.0)))
    least, most = _bound_people(compared, log_ratio)
    return min(float(ends[0][0]), least), max(float(ends[-1][1]), most, _bound_pairs(compared, log_ratio))


def _bound_people(compared: Sequence[Compared], log_ratio: float) -> tuple[float, float]:
    """Return the 95 % interval of a rate that so many independent people had."""
    num_people = min(_count_people(fit) for fit, _ in compared)
    hits = predict_fpir(compared, log_ratio) * num_people
    # Of none or all of them the beta distribution knows nothing.
    least = float(betaincinv(hits, num_people - hits + 1.0, _LOWER)) if hits > 0 else 0.0
    most = float(betaincinv(hits + 1.0, num_people - hits, _UPPER)) if hits < num_people else 1.0
    return least, most


def _bound_pairs(compared: Sequence[Compared], log_ratio: float) -> float:
    """Return the upper end of what the counted pairs leave open where more people are enrolled than calibrated; else 0."""
    kept = 1.0
    for fit, num_people in compared:
        if num_people > _count_least_columns(fit):
            num_pairs = _count_pairs(fit)
            known = np.isfinite(fit.impostors)
            share = np.mean(_log_ratios(fit)[known] >= log_ratio)
            hits = float(share) * num_pairs
            kept *= (1.0 - float(betaincinv(hits + 1.0, max(num_pairs - hits, 1e-9), _UPPER))) ** num_people
    return 1.0 - kept


def _predict(fit: PairingFit, num_people: int, log_ratio: float, weights: Array, upper: bool) -> Array:
    """Return the rate for each replicate.

    Args:
        fit: of the pairing.
        num_people: enrolled.
        log_ratio: threshold.
        weights: (R, people) how often each calibration person is drawn.
        upper: for more enrolled than calibration people, treat all probes as equal (too high a rate); else each by itself
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


def _count_pairs(fit: PairingFit) -> int:
    """Return how many pairs of people were compared: of two people both ways count once."""
    return _count_people(fit) * (int(np.isfinite(fit.impostors).any(axis=0).sum()) - 1) // 2


def _count_least_columns(fit: PairingFit) -> int:
    return int(np.isfinite(fit.impostors).sum(axis=1).min())


def _refuse(compared: Sequence[Compared], fpir: float, floor: float) -> str:
    """Return why no threshold can keep a rate, or ""; `floor` is the rate where nobody would be named."""
    if reason := refuse_fpir(compared, fpir):
        return reason
    if floor <= fpir:
        return ""
    return f"even a threshold that names no calibration person has a 95 % interval up to {floor:.1%}"


def _list_rates() -> list[float]:
    return [percent / 100 for percent in range(1, 100)]


def describe_threshold(threshold: Threshold) -> str:
    """Return a threshold in one sentence."""
    low, high = (_format_percent(end) for end in threshold.interval)
    asked = _format_percent(threshold.fpir)
    chosen = {
        "estimate": f"chosen by the best estimate for {asked} %",
        "upper": f"chosen so that the interval ends at {asked} % at most",
    }[threshold.bound]
    return (
        f"threshold {threshold.log_ratio:+.2f} (log-likelihood ratio): false positives about "
        f"{_format_percent(threshold.predicted)} % (95 % interval {low} to {high} %) of people who are not enrolled, with "
        f"{threshold.num_people:,} who are; {chosen}; from {threshold.num_calibration_people:,} calibration people, "
        f"{threshold.origin}"
    )


def _format_percent(rate: float) -> str:
    """Return a rate in percent, to two digits."""
    return f"{100 * rate:.0f}" if rate >= 0.0995 else f"{100 * rate:.2g}"
