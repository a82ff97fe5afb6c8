"""Evaluation of a run on pairs of photos: its classifier and its distance compared with baselines."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run, read_run_split
from handnet.data.pair_table import PairTable, choose_tables, select_pairs
from handnet.embedding.run_vectors import compute_run_vectors
from handnet.evaluation.pair_verdict import CLASSIFIER, DISTANCE
from handnet.evaluation.run_part import RunPart
from handnet.evaluation.thresholds import find_thresholds
from handnet.images.photo_store import load_cached, prepare_photos
from handnet.metrics.baselines import embed_raw_pixels
from handnet.metrics.intervals import NUM_REPLICATES
from handnet.metrics.pairs.calibration import (
    Calibration,
    compute_cllr,
    compute_ece,
    compute_log_ratio,
    compute_probability,
)
from handnet.metrics.pairs.classifiers import BASELINES
from handnet.metrics.pairs.pair_list import collect_pairs, evaluate_pair_list, score_cosine
from handnet.metrics.pairs.verification import choose_threshold
from handnet.training.pair_training import PairClassifier, load_pair_classifier

RAW_PIXELS = "raw pixels"
Floats = npt.NDArray[np.float32]


class PairEvaluation(NamedTuple):
    """What evaluating a run on pairs gives.

    Attributes:
        metrics: pairs.json's content.
        table: the pairs.
        scores: system → (N,) scores of the pairs.
        main: the system that the run stands for: its classifier, else its distance.
    """

    metrics: dict[str, Any]
    table: PairTable
    scores: dict[str, Floats]
    main: str


def evaluate_pairs(of: RunPart, num_replicates: int = NUM_REPLICATES, output: Path | None = None) -> PairEvaluation:
    """Evaluate a run on the pairs of one part: the data set's own, or 2,000 drawn, half of one person.

    The baselines are fitted on the pairs that the run's classifier learnt from. Thresholds (equal errors) and
    calibration come from the validation people; on the validation people themselves there are none.

    Args:
        of: the run and its photos.
        num_replicates: bootstrap replicates over people.
        output: folder of the figures, for the calibration of data that are not the run's own (`find_thresholds`).

    Raises:
        DataError: a part lacks pairs of either kind, or photos cannot be decoded.
        RunError: the classifier is missing or damaged.
    """
    run, dataset, part = of.run, of.dataset, of.part
    classifier = load_pair_classifier(run)
    learnt, kept_back = choose_tables(run, dataset)
    table = select_pairs(dataset, read_run_split(run), part, 0, run.config.train.seed)
    tables = {"learnt": learnt, "kept_back": kept_back, part: table}
    systems = _build_systems(of, classifier, tables)
    calibrations: dict[str, Calibration | None] = {}
    # Kept in the run, for `handnet verify`, whichever part it is.
    of_distance = find_thresholds(run, of.load, dataset, of.echo, None if part == "val" else output)
    if part != "val":
        calibrations[DISTANCE] = of_distance
        if classifier is not None:
            calibrations[CLASSIFIER] = classifier.calibration
    metrics: dict[str, Any] = {"part": part, "seed": of.seed, "num_replicates": num_replicates, "systems": {}}
    metrics["notes"] = _note(part, table, learnt, kept_back)
    metrics["calibration"] = {}
    scores: dict[str, Floats] = {}
    for name, score in systems.items():
        calibration = calibrations.get(name)
        # At the thresholds of the calibrations `handnet verify` decides; the others have none.
        if calibration is not None:
            threshold: float | None = calibration.equal_error_threshold
        elif part != "val":
            threshold = _choose(score("kept_back"), kept_back)
        else:
            threshold = None
        scores[name] = score(part)
        metrics["systems"][name] = evaluate_pair_list(
            scores[name], table.same, table.people, threshold, num_replicates, of.seed
        )
        if calibration is not None:
            metrics["calibration"][name] = _measure_calibration(calibration, scores[name], table.same)
    return PairEvaluation(metrics, table, scores, CLASSIFIER if classifier is not None else DISTANCE)


def _build_systems(
    of: RunPart, classifier: PairClassifier | None, tables: Mapping[str, PairTable]
) -> dict[str, Callable[[str], Floats]]:
    """Return what each system scores: a function from the name of a table to the scores (N,) of its pairs.

    Args:
        of: the run.
        classifier: its classifier of pairs, if it has one.
        tables: "learnt" (the baselines are fitted on it), "kept_back", and the part.
    """
    paths = {name: [example.path for example in table.examples] for name, table in tables.items()}
    vectors = {name: compute_run_vectors(of.run, of.load, paths[name], of.progress) for name in tables}
    embeddings = {name: found.embeddings for name, found in vectors.items()}
    features = {name: found.features for name, found in vectors.items()}
    pixels = {name: embed_raw_pixels(_load(of.run, paths[name])) for name in ("kept_back", of.part)}

    def pick(rows_of: dict[str, Floats], name: str) -> tuple[Floats, Floats]:
        rows = tables[name].rows
        return rows_of[name][rows[:, 0]], rows_of[name][rows[:, 1]]

    def score_fitted(fitted: Callable[[Floats, Floats], Floats], name: str) -> Floats:
        return fitted(*pick(embeddings, name))

    systems: dict[str, Callable[[str], Floats]] = {}
    if classifier is not None:
        systems[CLASSIFIER] = lambda name: classifier.score(*pick(features, name))
    systems[DISTANCE] = lambda name: score_cosine(*pick(embeddings, name))
    for name, fit in BASELINES.items():
        fitted = fit(*pick(embeddings, "learnt"), tables["learnt"].same, of.seed)
        systems[name] = partial(score_fitted, fitted)
    systems[RAW_PIXELS] = lambda name: score_cosine(*pick(pixels, name))
    return systems


def _choose(scores: Floats, kept_back: PairTable) -> float:
    return choose_threshold(collect_pairs(scores, kept_back.same, kept_back.people), "equal_error")


def _note(part: str, table: PairTable, learnt: PairTable, kept_back: PairTable) -> list[str]:
    """Return what a reader must know of where thresholds and fitted systems come from."""
    people = set(np.unique(table.people))
    taught, chosen = (len(people & set(np.unique(other.people))) for other in (learnt, kept_back))
    if part == "val":
        notes = ["No thresholds and no probabilities: they would be chosen on these very people."]
    elif chosen:
        notes = [
            f"Thresholds were chosen on other pairs, but {chosen:,} of these {len(people):,} people are in those pairs too."
        ]
    else:
        notes = ["Thresholds were chosen on pairs of other people."]
    if taught:
        notes.append(
            f"The pair classifier and the fitted baselines have learnt from {taught:,} of these {len(people):,} people: their "
            "figures are better here than on other people."
        )
    return notes


def _load(run: Run, paths: Sequence[str]) -> npt.NDArray[np.uint8]:
    return load_cached(prepare_photos(paths, run.config.image).files, run.config.image.size_px)


def _measure_calibration(calibration: Calibration, scores: Floats, same: npt.NDArray[np.bool_]) -> dict[str, float]:
    ratios = compute_log_ratio(calibration, scores)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    return {
        "cllr": compute_cllr(ratios[same], ratios[~same]),
        "ece": compute_ece(compute_probability(calibration, scores), same, weights),
    }
