"""Evaluation of a run on pairs of photos: its classifier and its distance beside what else can be done with them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run, read_run_split
from handnet.data.dataset import DataSet
from handnet.data.pair_table import PairTable, select_pairs
from handnet.evaluation.hands import CALIBRATION_FILE
from handnet.images.store import load_cached, prepare_photos
from handnet.metrics.baselines import embed_raw_pixels
from handnet.metrics.intervals import NUM_REPLICATES
from handnet.metrics.pairs.calibration import (
    Calibration,
    compute_cllr,
    compute_ece,
    compute_log_ratio,
    compute_probability,
    fit_calibration,
    save_calibration,
)
from handnet.metrics.pairs.classifiers import BASELINES, score_cosine
from handnet.metrics.pairs.pair_list import collect_pairs, judge_pair_list
from handnet.metrics.pairs.verification import choose_threshold
from handnet.networks.encoder import Encoder
from handnet.training.pair_training import choose_tables, compute_vectors, load_pair_judge

CLASSIFIER, DISTANCE, RAW_PIXELS = "pair classifier", "distance", "raw pixels"
Floats = npt.NDArray[np.float32]


class PairJudgement(NamedTuple):
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


def judge_run_on_pairs(
    run: Run,
    encoder: Encoder,
    dataset: DataSet,
    part: str,
    *,
    seed: int = 0,
    num_replicates: int = NUM_REPLICATES,
    progress: Callable[[str], Callable[[int, int], None]] | None = None,
) -> PairJudgement:
    """Evaluate a run on the pairs of one part: the data set's own, or 2,000 drawn, half of one person.

    What is fitted besides the run's own classifier is fitted on the pairs that it learnt from; thresholds (equal errors) and
    calibration on the pairs kept back, of other people.

    Args:
        run: a finished run.
        encoder: its encoder, from `load_encoder`.
        dataset: the photos.
        part: "train", "val" or "test".
        seed: of draws and bootstrap.
        num_replicates: bootstrap replicates over people.
        progress: gives, for the name of a piece of work, a function to call with (done, all).

    Raises:
        DataError: a part lacks pairs of either kind, or photos cannot be decoded.
        RunError: the classifier is missing or damaged.
    """
    judge = load_pair_judge(run)
    learnt, kept_back = choose_tables(run, dataset)
    table = select_pairs(dataset, read_run_split(run), part, 0, run.config.train.seed)
    tables = {"learnt": learnt, "kept_back": kept_back, part: table}
    paths = {name: [example.path for example in t.examples] for name, t in tables.items()}
    vectors = {name: compute_vectors(run.config, encoder, paths[name], progress) for name in tables}
    embeddings = {name: of.embeddings for name, of in vectors.items()}
    features = {name: of.features for name, of in vectors.items()}

    def pick(rows_of: dict[str, Floats], name: str) -> tuple[Floats, Floats]:
        rows = tables[name].rows
        return rows_of[name][rows[:, 0]], rows_of[name][rows[:, 1]]

    def score_fitted(fitted: Callable[[Floats, Floats], Floats], name: str) -> Floats:
        return fitted(*pick(embeddings, name))

    systems: dict[str, Callable[[str], Floats]] = {}
    if judge is not None:
        systems[CLASSIFIER] = lambda name: judge.score(*pick(features, name))
    systems[DISTANCE] = lambda name: score_cosine(*pick(embeddings, name))
    for name, fit in BASELINES.items():
        fitted = fit(*pick(embeddings, "learnt"), learnt.same, seed)
        systems[name] = partial(score_fitted, fitted)
    pixels = {name: embed_raw_pixels(_load(run, paths[name])) for name in ("kept_back", part)}
    systems[RAW_PIXELS] = lambda name: score_cosine(*pick(pixels, name))

    metrics: dict[str, Any] = {"part": part, "seed": seed, "num_replicates": num_replicates, "systems": {}}
    scores: dict[str, Floats] = {}
    for name, score in systems.items():
        fitted_on = collect_pairs(score("kept_back"), kept_back.same, kept_back.people)
        threshold = choose_threshold(fitted_on, "equal_error")
        scores[name] = score(part)
        metrics["systems"][name] = judge_pair_list(
            scores[name], table.same, table.people, threshold, num_replicates, seed
        )
        if name == DISTANCE:
            calibration = fit_calibration(fitted_on)
            save_calibration(run.folder / CALIBRATION_FILE, calibration)
            metrics["calibration"] = {name: _judge_calibration(calibration, scores[name], table.same)}
    if judge is not None:
        metrics["calibration"][CLASSIFIER] = _judge_calibration(judge.calibration, scores[CLASSIFIER], table.same)
    return PairJudgement(metrics, table, scores, CLASSIFIER if judge is not None else DISTANCE)


def _load(run: Run, paths: Sequence[str]) -> npt.NDArray[np.uint8]:
    return load_cached(prepare_photos(paths, run.config.image).files, run.config.image.size_px)


def _judge_calibration(calibration: Calibration, scores: Floats, same: npt.NDArray[np.bool_]) -> dict[str, float]:
    ratios = compute_log_ratio(calibration, scores)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    return {
        "cllr": compute_cllr(ratios[same], ratios[~same]),
        "ece": compute_ece(compute_probability(calibration, scores), same, weights),
    }
