"""Every figure of an evaluation, from embeddings to one nested dictionary."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from handnet.errors import EvaluationError
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.intervals import NUM_REPLICATES, summarize_outcome
from handnet.metrics.open_set import search_open_set, summarize_open_set
from handnet.metrics.pairs.all_pairs import HISTOGRAM_BINS, PairScores, score_pairs
from handnet.metrics.pairs.calibration import Calibration, summarize_calibration
from handnet.metrics.pairs.pair_intervals import bootstrap_pairs
from handnet.metrics.pairs.verification import build_curve, judge_threshold, summarize_pairs, thin_curve
from handnet.metrics.protocols import PROTOCOLS, Protocol, rank_photos, rank_same_view
from handnet.metrics.ranking import DIRECTIONS, compute_retrieval
from handnet.metrics.slices import slice_outcome

BRIEF_PROTOCOLS = ("person_template", "photo")
NUM_HISTOGRAM_BINS = 80

Progress = Callable[[str], None]


def evaluate_part(
    part: EmbeddedPart,
    calibration: Calibration | None = None,
    baselines: Mapping[str, EmbeddedPart] | None = None,
    second_half: bool = False,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compute every figure of the report, each with chance and a 95 % interval over people.

    Args:
        part: the test photos.
        calibration: fitted on validation people; without it there are no thresholds and no probabilities.
        baselines: name → the same photos embedded without learning.
        second_half: take the published half of the identities for same-view retrieval.
        num_replicates: bootstrap replicates.
        seed: of draws and bootstraps.
        progress: called with the name of each step.

    Returns:
        The keys of metrics.json: part, retrieval, protocols, same_view, verification, open_set, calibration, slices,
        baselines.

    Raises:
        EvaluationError: fewer than two people with both views.
    """
    say = progress or (lambda _: None)
    say("retrieval")
    metrics: dict[str, Any] = {"part": describe_part(part), "seed": seed, "num_replicates": num_replicates}
    metrics["retrieval"] = compute_retrieval(part.embeddings, part.identities, part.views)
    metrics["protocols"] = {}
    for name, protocol in PROTOCOLS.items():
        say(protocol.title)
        metrics["protocols"][name] = {"title": protocol.title, "definition": protocol.definition} | _run_or_refuse(
            partial(_evaluate_protocol, protocol, part, num_replicates, seed)
        )
    say("same view")
    metrics["same_view"] = _run_or_refuse(
        lambda: {
            aspect: summarize_outcome(outcome, num_replicates, seed)
            for aspect, outcome in rank_same_view(part, seed, second_half=second_half).items()
            if len(np.unique(outcome.people)) > 1
        }
    )
    say("verification")
    thresholds = {}
    if calibration is not None:
        thresholds = {
            "equal_error": calibration.equal_error_threshold,
            "best_f1": calibration.best_f1_threshold,
        }
    pairs = score_pairs(part, [*thresholds.values()])
    metrics["verification"] = summarize_verification(part, pairs, thresholds, num_replicates, seed)
    say("open set")
    metrics["open_set"] = {
        direction: summarize_open_set(search_open_set(part, direction, seed), num_replicates, seed)
        for direction in DIRECTIONS
    }
    if calibration is not None:
        say("calibration")
        metrics["calibration"] = summarize_calibration(calibration, part, pairs, num_replicates, seed)
    say("slices")
    metrics["slices"] = {
        direction: slice_outcome(part, rank_photos(part, direction), num_replicates, seed) for direction in DIRECTIONS
    }
    say("baselines")
    metrics["baselines"] = {
        name: evaluate_brief(baseline, num_replicates, seed) for name, baseline in (baselines or {}).items()
    }
    return metrics


def _evaluate_protocol(protocol: Protocol, part: EmbeddedPart, num_replicates: int, seed: int) -> dict[str, Any]:
    return {
        direction: summarize_outcome(protocol.rank(part, direction, seed), num_replicates, seed)
        for direction in DIRECTIONS
    }


def evaluate_brief(part: EmbeddedPart, num_replicates: int = NUM_REPLICATES, seed: int = 0) -> dict[str, Any]:
    """Return the figures of the published and the photo protocol, both ways: for baselines, audits and comparisons.

    Args:
        part: the photos.
        num_replicates: bootstrap replicates.
        seed: of the bootstrap.
    """
    return {name: _evaluate_protocol(PROTOCOLS[name], part, num_replicates, seed) for name in BRIEF_PROTOCOLS}


def summarize_verification(
    part: EmbeddedPart, pairs: PairScores, thresholds: Mapping[str, float], num_replicates: int, seed: int
) -> dict[str, Any]:
    """Return the figures of verification with intervals, curves for plots and histograms of both kinds of pairs.

    Args:
        part: the photos.
        pairs: their scores, counted at the thresholds.
        thresholds: name → similarity, chosen on validation people.
        num_replicates: bootstrap replicates.
        seed: of the bootstrap.
    """
    figures = summarize_pairs(pairs)
    interval = bootstrap_pairs(part, pairs, figures, dict(thresholds), num_replicates, seed)
    at = interval.pop("thresholds")
    figures["interval"] = interval
    figures["thresholds"] = {
        name: {**judge_threshold(pairs, value), "interval": at[name]} for name, value in thresholds.items()
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


def _run_or_refuse(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what is computed, or why it cannot be: a part without sides still has its other figures."""
    try:
        return compute()
    except EvaluationError as error:
        return {"refused": str(error)}
