"""Do two photos show one person? The run's classifier of pairs, or else its distance, with a calibrated probability."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from handnet.config.run_folder import Run
from handnet.errors import RunError
from handnet.evaluation.hands import CALIBRATION_FILE
from handnet.metrics.pairs.calibration import Calibration, compute_probability, load_calibration
from handnet.metrics.pairs.classifiers import score_cosine
from handnet.networks.encoder import Encoder
from handnet.training.pair_training import PairJudge, compute_vectors, load_pair_judge


class Verdict(NamedTuple):
    """What is said of two photos.

    Attributes:
        same: the score is at or above the threshold.
        probability: of one person, 0..1, where one and two people are as likely before seeing the photos.
        score: cosine, or the classifier's 2 · probability - 1; -1..1.
        threshold: score at which both error rates were alike on validation people.
        system: "pair classifier" or "distance".
    """

    same: bool
    probability: float
    score: float
    threshold: float
    system: str


class Verifier(NamedTuple):
    """A run ready to judge pairs.

    Attributes:
        run: the run.
        encoder: its encoder.
        judge: its classifier of pairs, or None: the distance judges.
        calibration: of the scores of either.
    """

    run: Run
    encoder: Encoder
    judge: PairJudge | None
    calibration: Calibration


def find_calibration(run: Run, judge: PairJudge | None) -> Calibration:
    """Return the calibration of what judges the run's pairs.

    Raises:
        RunError: there is none yet.
    """
    if judge is not None:
        return judge.calibration
    file = run.folder / CALIBRATION_FILE
    if not file.exists():
        raise RunError(f"{str(run.folder)!r} has no calibration yet: evaluate it first with handnet eval {run.folder}")
    return load_calibration(file)


def verify_photos(verifier: Verifier, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
    """Judge pairs of photo files.

    Args:
        verifier: a run ready to judge.
        pairs: two files each.

    Raises:
        DataError: photos that cannot be decoded.
    """
    config = verifier.run.config
    paths = list(dict.fromkeys(path for pair in pairs for path in pair))
    vectors = compute_vectors(config, verifier.encoder, paths)
    rows = np.asarray([[paths.index(path) for path in pair] for pair in pairs], np.int64).reshape(-1, 2)
    if verifier.judge is None:
        scores = score_cosine(vectors.embeddings[rows[:, 0]], vectors.embeddings[rows[:, 1]])
    else:
        scores = verifier.judge.score(vectors.features[rows[:, 0]], vectors.features[rows[:, 1]])
    probabilities = compute_probability(verifier.calibration, scores)
    threshold = verifier.calibration.equal_error_threshold
    system = "distance" if verifier.judge is None else "pair classifier"
    return [
        Verdict(bool(score >= threshold), float(probability), float(score), threshold, system)
        for score, probability in zip(scores, probabilities, strict=True)
    ]


def load_verifier(run: Run, encoder: Encoder) -> Verifier:
    """Make a run ready to judge pairs.

    Raises:
        RunError: it has no calibration yet, or lacks the classifier that its settings ask for.
    """
    judge = load_pair_judge(run)
    return Verifier(run, encoder, judge, find_calibration(run, judge))
