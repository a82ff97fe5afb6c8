"""Every figure of an evaluation, from embeddings to metrics.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handnet.errors import EvaluationError
from handnet.files import write_bytes
from handnet.metrics.confusions import find_worst_queries
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import find_two_view_people
from handnet.metrics.figures import FIGURES
from handnet.metrics.intervals import NUM_REPLICATES
from handnet.metrics.open_set import search_open_set, summarize_open_set
from handnet.metrics.pairs.all_pairs import HISTOGRAM_BINS, PairScores, score_pairs
from handnet.metrics.pairs.calibration import Calibration, summarize_calibration
from handnet.metrics.pairs.pair_intervals import bootstrap_pairs
from handnet.metrics.pairs.verification import build_curve, measure_threshold, summarize_pairs, thin_curve
from handnet.metrics.protocols import PROTOCOLS, Outcome, Protocol, rank_same_view
from handnet.metrics.ranking import DIRECTIONS
from handnet.metrics.ranking_summary import summarize_outcome
from handnet.metrics.slices import slice_outcome

BRIEF_PROTOCOLS = ("person_template", "photo")
# The short form of two protocols in metrics.json, and their names there.
RETRIEVAL = {"person": "person_template", "photo": "photo"}
NUM_HISTOGRAM_BINS = 80


def evaluate_part(
    part: EmbeddedPart,
    calibration: Calibration | None = None,
    baselines: Mapping[str, EmbeddedPart] | None = None,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute every figure of the report, each with chance and a 95 % interval over people.

    Args:
        part: the test photos.
        calibration: fitted on validation people; without it there are no thresholds and no probabilities.
        baselines: name → the same photos embedded without learning.
        num_replicates: bootstrap replicates.
        seed: random seed for draws and bootstraps.

    Returns:
        The keys of metrics.json: part; retrieval: two protocols in short, {"person" | "photo": {direction: figures}}, the
        numbers of protocols.person_template and protocols.photo without intervals; protocols; same_view; verification;
        open_set; calibration; slices; worst_queries; baselines.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    find_two_view_people(part.identities, part.views)
    metrics: dict[str, Any] = {"part": describe_part(part), "seed": seed, "num_replicates": num_replicates}
    protocols: dict[str, dict[str, Any]] = {}
    rankings: dict[str, dict[str, Outcome]] = {}
    for name, protocol in PROTOCOLS.items():
        protocols[name] = {"title": protocol.title, "definition": protocol.definition}
        try:
            rankings[name] = _rank_both_ways(protocol, part, seed)
            protocols[name] |= _summarize_both_ways(rankings[name], num_replicates, seed)
        except EvaluationError as error:
            # A part without sides still has its other figures.
            protocols[name]["refused"] = str(error)
    metrics["retrieval"] = {
        level: {direction: _shorten(protocols[name][direction]) for direction in DIRECTIONS}
        for level, name in RETRIEVAL.items()
    }
    metrics["protocols"] = protocols
    metrics["same_view"] = _evaluate_same_view(part, num_replicates, seed)
    thresholds = {}
    if calibration is not None:
        thresholds = {
            "equal_error": calibration.equal_error_threshold,
            "best_f1": calibration.best_f1_threshold,
        }
    pairs = score_pairs(part, [*thresholds.values()])
    metrics["verification"] = summarize_verification(part, pairs, thresholds, num_replicates, seed)
    metrics["open_set"] = {
        direction: summarize_open_set(search_open_set(part, direction, seed), num_replicates, seed)
        for direction in DIRECTIONS
    }
    if calibration is not None:
        metrics["calibration"] = summarize_calibration(calibration, part, pairs, num_replicates, seed)
    metrics["slices"] = {
        direction: slice_outcome(part, outcome, num_replicates, seed)
        for direction, outcome in rankings["photo"].items()
    }
    metrics["worst_queries"] = {
        direction: [confusion.describe() for confusion in find_worst_queries(part, outcome, direction)]
        for direction, outcome in rankings["photo"].items()
    }
    metrics["baselines"] = {
        name: evaluate_brief(baseline, num_replicates, seed) for name, baseline in (baselines or {}).items()
    }
    return metrics


def _rank_both_ways(protocol: Protocol, part: EmbeddedPart, seed: int) -> dict[str, Outcome]:
    return {direction: protocol.rank(part, direction, seed) for direction in DIRECTIONS}


def _summarize_both_ways(outcomes: Mapping[str, Outcome], num_replicates: int, seed: int) -> dict[str, Any]:
    return {direction: summarize_outcome(outcome, num_replicates, seed) for direction, outcome in outcomes.items()}


def _shorten(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return counts, figures and chance, without people, intervals and curves."""
    counts = {name: figures[name] for name in ("num_queries", "num_gallery")}
    chance = {key: figures["chance"][key] for key in FIGURES}
    return {**counts, **{key: figures[key] for key in FIGURES}, "chance": chance}


def _evaluate_same_view(part: EmbeddedPart, num_replicates: int, seed: int) -> dict[str, Any]:
    try:
        return {
            aspect: summarize_outcome(outcome, num_replicates, seed)
            for aspect, outcome in rank_same_view(part, seed).items()
            if len(np.unique(outcome.people)) > 1
        }
    except EvaluationError as error:
        return {"refused": str(error)}


def evaluate_brief(part: EmbeddedPart, num_replicates: int = NUM_REPLICATES, seed: int = 0) -> dict[str, Any]:
    """Return the figures of the published and the photo protocol, both ways: for baselines, audits and comparisons.

    Args:
        part: the photos.
        num_replicates: bootstrap replicates.
        seed: random seed for the bootstrap.
    """
    return {
        name: _summarize_both_ways(_rank_both_ways(PROTOCOLS[name], part, seed), num_replicates, seed)
        for name in BRIEF_PROTOCOLS
    }


def summarize_verification(
    part: EmbeddedPart, pairs: PairScores, thresholds: Mapping[str, float], num_replicates: int, seed: int
) -> dict[str, Any]:
    """Return the figures of verification with intervals, curves for plots and histograms of both kinds of pairs.

    Args:
        part: the photos.
        pairs: their scores, counted at the thresholds.
        thresholds: name → similarity, chosen on validation people.
        num_replicates: bootstrap replicates.
        seed: random seed for the bootstrap.
    """
    figures = summarize_pairs(pairs)
    interval = bootstrap_pairs(part, pairs, figures, dict(thresholds), num_replicates, seed)
    at = interval.pop("thresholds")
    figures["interval"] = interval
    figures["thresholds"] = {
        name: {**measure_threshold(pairs, value), "interval": at[name]} for name, value in thresholds.items()
    }
    curve = thin_curve(build_curve(pairs))
    figures["curve"] = {"false_accept": curve.false_accept.tolist(), "true_accept": curve.true_accept.tolist()}
    edges = np.linspace(-1, 1, NUM_HISTOGRAM_BINS + 1)
    impostor = pairs.impostor_histogram.reshape(NUM_HISTOGRAM_BINS, HISTOGRAM_BINS // NUM_HISTOGRAM_BINS).sum(axis=1)
    genuine, _ = np.histogram(np.clip(pairs.genuine, -1, 1), edges)
    figures["histogram"] = {"edges": edges.tolist(), "genuine": genuine.tolist(), "impostor": impostor.tolist()}
    return figures


def describe_part(part: EmbeddedPart) -> dict[str, Any]:
    """Return the counts of a part: people, photos, and who has one view only.

    Args:
        part: the photos.
    """
    dorsal, palmar = (set(part.identities[part.views == view].tolist()) for view in ("dorsal", "palmar"))
    return {
        "name": part.name,
        "num_people": len(dorsal | palmar),
        "num_people_both_views": len(dorsal & palmar),
        "one_view_only": sorted(dorsal ^ palmar),
        "num_photos": len(part.views),
        "num_dorsal": int((part.views == "dorsal").sum()),
        "num_palmar": int((part.views == "palmar").sum()),
        "embedding_dimensions": int(part.embeddings.shape[1]),
    }


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write the metrics as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        metrics: nested mappings, lists, text and finite numbers; numpy scalars and arrays are written as numbers.

    Raises:
        EvaluationError: a value that JSON cannot hold (NaN, an object).
        DiskError: a folder that cannot be written.
    """
    try:
        text = json.dumps(metrics, indent=2, allow_nan=False, default=_to_plain)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"Metrics must be finite numbers and text. Received: {error}.") from error
    write_bytes(Path(path), (text + "\n").encode("utf-8"))


def _to_plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} in the metrics")
