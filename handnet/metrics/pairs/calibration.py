"""From a similarity to the probability that two photos show one person, fitted on validation people."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.files import read_json, write_json
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.intervals import draw_people, find_interval, shift_interval
from handnet.metrics.logistic import expit, logit
from handnet.metrics.pairs.all_pairs import PairScores, histogram_centres
from handnet.metrics.pairs.pair_intervals import bin_pairs, draw_pair_counts
from handnet.metrics.pairs.verification import choose_threshold

ISOTONIC_MIN_PEOPLE = 50
ISOTONIC_MIN_PAIRS = 500
NUM_RELIABILITY_BINS = 10
_KIND = "handnet calibration 1"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learnt from pairs of validation people; plain numbers, so that it goes into files and graphs.

    The natural logarithm of the likelihood ratio of two photos is `slope` · cosine + `intercept`; the probability that they
    show one person is sigmoid(log ratio + logit(prior)).

    Attributes:
        slope: per unit of cosine similarity, at least 0.
        intercept: log-likelihood ratio at cosine 0.
        equal_error_threshold: cosine at which both error rates were equal.
        best_f1_threshold: cosine of the highest F1 on the pairs' own mix.
        isotonic_similarities: ascending cosines between which `isotonic_probabilities` are interpolated; empty where the
            people were too few.
        isotonic_probabilities: probability at prior 0.5 at each of them.
        num_people: validation people.
        num_genuine: pairs of the same person.
        num_impostor: pairs of different people.
    """

    slope: float
    intercept: float
    equal_error_threshold: float
    best_f1_threshold: float
    isotonic_similarities: tuple[float, ...] = ()
    isotonic_probabilities: tuple[float, ...] = ()
    num_people: int = 0
    num_genuine: int = 0
    num_impostor: int = 0


def fit_calibration(pairs: PairScores) -> Calibration:
    """Fit a logistic, and where there are enough people an isotonic, curve to the pairs of validation people.

    Each person weighs the same among the genuine pairs, and genuine and impostor pairs weigh the same in all, so that
    what is fitted is the likelihood ratio and not the mix of pairs. Targets are drawn in from 0 and 1 by one person's
    worth, so that separable scores keep a finite slope.

    Args:
        pairs: scores of validation people.

    Reference:
        Platt, Probabilistic Outputs for Support Vector Machines, 1999, equation 1 (his counts of pairs are of people
        here); Brümmer and du Preez, Application-independent evaluation of speaker detection, 2006 (equal weights).
    """
    similarities, weights, labels = _weigh_points(pairs)
    num_people = len(np.unique(pairs.genuine_people))
    targets = np.where(labels, (num_people + 1) / (num_people + 2), 1 / (pairs.num_person_pairs + 2))
    slope, intercept = _fit_logistic(similarities, targets, weights)
    knots, values = np.zeros(0), np.zeros(0)
    if not refuse_isotonic(pairs):
        knots, values = _fit_isotonic(similarities, labels, weights)
    limit = 1 / (num_people + 2)
    return Calibration(
        slope,
        intercept,
        choose_threshold(pairs, "equal_error"),
        choose_threshold(pairs, "best_f1"),
        tuple(float(value) for value in knots),
        tuple(float(value) for value in np.clip(values, limit, 1 - limit)),
        pairs.num_people,
        len(pairs.genuine),
        pairs.num_impostor,
    )


def refuse_isotonic(pairs: PairScores) -> str:
    """Return why an isotonic curve cannot be fitted to these pairs, or "" where it can.

    Args:
        pairs: scores of validation people.
    """
    num_people = len(np.unique(pairs.genuine_people))
    if num_people >= ISOTONIC_MIN_PEOPLE and len(pairs.genuine) >= ISOTONIC_MIN_PAIRS:
        return ""
    return (
        f"{num_people} validation people with {len(pairs.genuine):,} genuine pairs cannot carry an isotonic curve: it takes "
        f"{ISOTONIC_MIN_PEOPLE} with {ISOTONIC_MIN_PAIRS}"
    )


def compute_log_ratio(calibration: Calibration, similarity: npt.ArrayLike, method: str = "logistic") -> Array:
    """Return the natural logarithm of the likelihood ratio of two photos: above 0 for one person, below for two.

    Args:
        calibration: fitted on the embeddings of the same model.
        similarity: cosine, any shape.
        method: "logistic" or "isotonic".

    Raises:
        EvaluationError: isotonic was not fitted, or an unknown method.
    """
    cosine = np.asarray(similarity, dtype=np.float64)
    if method == "logistic":
        return np.asarray(calibration.slope * cosine + calibration.intercept)
    if method != "isotonic":
        raise EvaluationError(f"`method` must be logistic or isotonic. Received: {method!r}.")
    if not calibration.isotonic_similarities:
        raise EvaluationError(
            "This calibration has no isotonic curve: its validation people were too few. Use logistic."
        )
    value = np.interp(cosine, calibration.isotonic_similarities, calibration.isotonic_probabilities)
    return np.asarray(logit(value))


def compute_probability(
    calibration: Calibration, similarity: npt.ArrayLike, prior: float = 0.5, method: str = "logistic"
) -> Array:
    """Return the probability that two photos show one person.

    Args:
        calibration: fitted on the embeddings of the same model.
        similarity: cosine, any shape.
        prior: probability before seeing the photos: 0.5 for a pair of which nothing is known, 1 / people for a search in
            a gallery that holds the right person.
        method: "logistic" or "isotonic".

    Raises:
        EvaluationError: as `compute_log_ratio`, or a prior that is no probability.
    """
    if not 0 < prior < 1:
        raise EvaluationError(f"`prior` must be between 0 and 1. Received: {prior}.")
    return np.asarray(expit(compute_log_ratio(calibration, similarity, method) + logit(prior)))


def save_calibration(path: Path, calibration: Calibration, fitted_on: Mapping[str, str] | None = None) -> None:
    """Write a calibration as JSON, whole or not at all.

    Args:
        path: the file.
        calibration: what is written.
        fitted_on: digests of what it was fitted on, for whoever wants to know whether it still fits.

    Raises:
        DiskError: a folder that cannot be written.
    """
    values = {"kind": _KIND, **dataclasses.asdict(calibration)}
    write_json(Path(path), {**values, "fitted_on": dict(fitted_on)} if fitted_on is not None else values)


def load_calibration(path: Path) -> Calibration:
    """Read what `save_calibration` wrote.

    Raises:
        EvaluationError: no such file, or not a calibration.
    """
    try:
        values = read_json(Path(path))
        if values.pop("kind", None) != _KIND:
            raise ValueError("another kind of file")
        values.pop("fitted_on", None)
        return parse_calibration(values)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise EvaluationError(
            f"{path} cannot be read as a calibration: {error}. Evaluate the run again to write a new one."
        ) from error


def parse_calibration(values: Mapping[str, Any]) -> Calibration:
    """Return the calibration that JSON holds: its fields by name.

    Raises:
        ValueError, KeyError, TypeError, OverflowError: it is none.
    """
    values = dict(values)
    lists: dict[str, Any] = {
        name: tuple(float(v) for v in values.pop(name)) for name in ("isotonic_similarities", "isotonic_probabilities")
    }
    fields = {field.name: field.type for field in dataclasses.fields(Calibration) if field.name not in lists}
    numbers: dict[str, Any] = {name: (int if fields[name] is int else float)(value) for name, value in values.items()}
    if not np.isfinite(list(numbers.values())).all() or len(set(map(len, lists.values()))) != 1:
        raise ValueError("numbers missing or not finite")
    return Calibration(**numbers, **lists)


def compute_cllr(
    genuine_ratios: npt.ArrayLike, impostor_ratios: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Return the log-likelihood-ratio cost in bits: 0 is perfect, 1 says nothing, more misleads.

    Args:
        genuine_ratios: natural log-likelihood ratios of pairs of the same person.
        impostor_ratios: natural log-likelihood ratios of pairs of different people.
        weights: count of each impostor ratio.

    Reference:
        Brümmer and du Preez, Application-independent evaluation of speaker detection, 2006, equation 1.
    """
    same = np.logaddexp(0, -np.asarray(genuine_ratios, np.float64))
    different = np.logaddexp(0, np.asarray(impostor_ratios, np.float64))
    mass = np.ones(len(different)) if weights is None else np.asarray(weights, np.float64)
    return float((np.mean(same) + mass @ different / mass.sum()) / (2 * np.log(2)))


def compute_ece(probabilities: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Return the expected calibration error over ten equal bins of probability.

    Args:
        probabilities: (N,) 0..1.
        labels: (N,) true for the same person.
        weights: (N,) of the pairs.

    Reference:
        Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015.
    """
    values = np.asarray(probabilities, np.float64)
    mass = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    bins = _reliability_bin(values)
    gap = np.bincount(bins, mass * (values - np.asarray(labels, np.float64)), minlength=NUM_RELIABILITY_BINS)
    return float(np.abs(gap).sum() / mass.sum())


def summarize_calibration(
    calibration: Calibration, part: EmbeddedPart, pairs: PairScores, num_replicates: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Measure a calibration on test people, genuine and impostor pairs weighing the same (prior 0.5).

    Args:
        calibration: fitted on validation people.
        part: the test photos.
        pairs: their scores.
        num_replicates: bootstrap replicates over people.
        seed: random seed for the draws.

    Returns:
        slope, intercept, cllr, min_cllr (what the best monotone calibration, fitted on the test pairs themselves, would
        reach), ece, interval, chance (saying 0.5 always), isotonic (its cllr and ece, or why there is none), reliability:
        one row for each bin of probability that is not empty.
    """
    similarities, _, labels = _weigh_points(pairs)
    num_genuine = len(pairs.genuine)
    weights = np.concatenate(
        [np.full(num_genuine, 0.5 / num_genuine), pairs.impostor_histogram * 0.5 / pairs.num_impostor]
    )
    _, best = _fit_isotonic_all(similarities, labels, weights)
    figures: dict[str, Any] = {
        "slope": calibration.slope,
        "intercept": calibration.intercept,
        "num_validation_people": calibration.num_people,
        **_measure(compute_log_ratio(calibration, similarities), labels, weights),
        "min_cllr": _weighted_cllr(logit(best), labels, weights),
        "chance": {"cllr": 1.0, "ece": 0.0},
    }
    if calibration.isotonic_similarities:
        figures["isotonic"] = _measure(compute_log_ratio(calibration, similarities, "isotonic"), labels, weights)
    else:
        figures["isotonic"] = {"refused": f"{calibration.num_people} validation people cannot carry an isotonic curve"}
    return figures | _bootstrap(calibration, part, figures, num_replicates, seed)


def _bootstrap(
    calibration: Calibration, part: EmbeddedPart, exact: dict[str, Any], num_replicates: int, seed: int
) -> dict[str, Any]:
    # Fine bins between the bins of the reliability diagram, so that each fine bin lies in one of those.
    fine = np.linspace(0, 1, NUM_RELIABILITY_BINS * 10 + 1)[1:-1]
    slope = max(calibration.slope, 1e-6)
    edges = ((logit(fine) - calibration.intercept) / slope).astype(np.float32)
    genuine, impostor = bin_pairs(part, edges)
    centres = (np.arange(len(edges) + 1) + 0.5) / (len(edges) + 1)
    coarse = np.arange(len(centres)) * NUM_RELIABILITY_BINS // len(centres)
    drawn_same, drawn_different = draw_pair_counts(genuine, impostor, draw_people(len(genuine), num_replicates, seed))
    usable = drawn_different.sum(axis=1) > 0
    same = np.concatenate([genuine.sum(axis=0)[None], drawn_same[usable]])
    different = np.concatenate([impostor.sum(axis=(0, 1), dtype=np.float64)[None], drawn_different[usable]])
    same, different = same / same.sum(axis=1, keepdims=True) / 2, different / different.sum(axis=1, keepdims=True) / 2
    spread = np.eye(NUM_RELIABILITY_BINS)[coarse]
    mass, hits, stated = (same + different) @ spread, same @ spread, ((same + different) * centres) @ spread
    ece = np.abs(stated - hits).sum(axis=1)
    cost = -(same @ np.log2(centres) + different @ np.log2(1 - centres))
    interval = {
        name: shift_interval(values, exact[name], high=np.inf) for name, values in (("cllr", cost), ("ece", ece))
    }
    fractions = np.divide(hits, mass, out=np.full_like(hits, np.nan), where=mass > 0)
    # A bin that a draw leaves empty says nothing: one half.
    low, high = find_interval(np.where(mass > 0, fractions, 0.5)[1:])
    rows = [
        {
            "probability": float(stated[0, b] / mass[0, b]),
            "fraction": float(fractions[0, b]),
            "interval": [float(low[b]), float(high[b])],
            "share": float(mass[0, b]),
        }
        for b in range(NUM_RELIABILITY_BINS)
        if mass[0, b] > 0
    ]
    return {"interval": interval, "reliability": rows}


def _measure(ratios: Array, labels: npt.NDArray[np.bool_], weights: Array) -> dict[str, float]:
    return {"cllr": _weighted_cllr(ratios, labels, weights), "ece": compute_ece(expit(ratios), labels, weights)}


def _weighted_cllr(ratios: Array, labels: npt.NDArray[np.bool_], weights: Array) -> float:
    costs = np.logaddexp(0, np.where(labels, -ratios, ratios))
    return float(weights @ costs / np.log(2))


def _reliability_bin(probabilities: Array) -> npt.NDArray[np.int64]:
    return np.minimum((probabilities * NUM_RELIABILITY_BINS).astype(np.int64), NUM_RELIABILITY_BINS - 1)


def _weigh_points(pairs: PairScores) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return similarities, weights (summing to 1, half for each kind, each person the same) and labels of all pairs."""
    _, codes, counts = np.unique(pairs.genuine_people, return_inverse=True, return_counts=True)
    same = 0.5 / len(counts) / counts[codes]
    different = 0.5 * pairs.impostor_histogram / pairs.num_impostor
    return (
        np.concatenate([pairs.genuine.astype(np.float64), histogram_centres()]),
        np.concatenate([same, different]),
        np.concatenate([np.ones(len(same), bool), np.zeros(len(different), bool)]),
    )


def _fit_logistic(similarities: Array, targets: Array, weights: Array) -> tuple[float, float]:
    """Minimise the weighted cross-entropy by Newton's method on standardised similarities."""
    centre = float(weights @ similarities)
    scale = float(np.sqrt(weights @ (similarities - centre) ** 2))
    # A collapsed model: what is left is rounding and the width of the histogram's bins.
    if scale < 1e-3:
        return 0.0, 0.0
    design = np.stack([(similarities - centre) / scale, np.ones(len(similarities))], axis=1)
    theta = np.zeros(2)
    for _ in range(100):
        predicted = expit(design @ theta)
        gradient = design.T @ (weights * (predicted - targets))
        curvature = (design * (weights * predicted * (1 - predicted))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # A long step from a flat region would overshoot into another.
        theta -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    slope = max(float(theta[0]) / scale, 0.0)
    return slope, float(theta[1]) - slope * centre if slope else 0.0


def _fit_isotonic_all(similarities: Array, labels: npt.NDArray[np.bool_], weights: Array) -> tuple[Array, Array]:
    """Return the rising curve of least squares at every point, equal similarities sharing a value."""
    unique, codes = np.unique(similarities, return_inverse=True)
    mass = np.bincount(codes, weights)
    hits = np.bincount(codes, weights * labels)
    mean = np.divide(hits, mass, out=np.zeros_like(hits), where=mass > 0)
    # Half a second to import, for those who fit alone.
    from scipy.optimize import isotonic_regression

    fitted = isotonic_regression(mean, weights=np.maximum(mass, 1e-15)).x
    return unique, np.asarray(fitted[codes])


def _fit_isotonic(similarities: Array, labels: npt.NDArray[np.bool_], weights: Array) -> tuple[Array, Array]:
    """Return the middle and the value of each level stretch of the rising curve."""
    kept = weights > 0
    _, values = _fit_isotonic_all(similarities[kept], labels[kept], weights[kept])
    levels, codes = np.unique(values, return_inverse=True)
    mass = np.bincount(codes, weights[kept])
    return np.bincount(codes, weights[kept] * similarities[kept]) / mass, levels
