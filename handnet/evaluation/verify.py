"""Do two photos show one person? The run's classifier of pairs, or else its distance, with a calibrated probability."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from handnet.config.run_folder import Run
from handnet.console import Echo
from handnet.embedding.few_photos import decode_few, embed_few
from handnet.embedding.run_vectors import PhotoVectors
from handnet.errors import DataError
from handnet.evaluation.kept_thresholds import load_thresholds
from handnet.evaluation.pair_verdict import CLASSIFIER, DISTANCE, Verdict, decide, refuse_unfit
from handnet.evaluation.quick_verify import QuickAnswer
from handnet.images.unusable_photos import explain_given
from handnet.metrics.pairs.calibration import Calibration
from handnet.metrics.pairs.pair_list import score_cosine
from handnet.networks.encoder import Encoder
from handnet.training.pair_training import PairClassifier, load_pair_classifier


class Verifier(NamedTuple):
    """A run ready to verify pairs.

    Attributes:
        run: the run.
        encoder: its encoder.
        classifier: its classifier of pairs; None where the distance decides.
        calibration: of the scores of either.
    """

    run: Run
    encoder: Encoder
    classifier: PairClassifier | None
    calibration: Calibration


def verify_once(verifier: Verifier, first: str, second: str) -> QuickAnswer:
    """Decide for two photo files, without a graph and without the cache: the soonest answer where nothing is kept.

    Raises:
        DataError: a photo that cannot be used, or shows several hands or too little of one.
    """
    paths, config = (first, second), verifier.run.config
    decoded = decode_few(paths, config.image)
    pixels = [photo.pixels for photo in decoded if photo.pixels is not None]
    problems = {path: photo.problem for path, photo in zip(paths, decoded, strict=True) if photo.problem}
    if problems:
        raise DataError(explain_given(problems, len(set(paths))))
    refuse_unfit(paths, [photo.hand for photo in decoded])
    vectors = embed_few(verifier.encoder, np.stack(pixels), of_backbone=config.pairs.features == "backbone")
    [verdict] = verify_vectors(verifier, vectors, [(0, 1)])
    return QuickAnswer(verdict, [photo.hand for photo in decoded if photo.hand is not None])


def verify_vectors(verifier: Verifier, vectors: PhotoVectors, pairs: Sequence[tuple[int, int]]) -> list[Verdict]:
    """Decide for pairs of photos whether they show one person, from their vectors and features.

    Args:
        verifier: a run ready to verify.
        vectors: of N photos.
        pairs: the numbers of two photos each, 0..N-1.
    """
    rows = np.asarray(pairs, np.int64).reshape(-1, 2)
    if verifier.classifier is None:
        scores = score_cosine(vectors.embeddings[rows[:, 0]], vectors.embeddings[rows[:, 1]])
    else:
        scores = verifier.classifier.score(vectors.features[rows[:, 0]], vectors.features[rows[:, 1]])
    return decide(scores, verifier.calibration, DISTANCE if verifier.classifier is None else CLASSIFIER)


def load_verifier(run: Run, encoder: Encoder, warn: Echo = print) -> Verifier:
    """Make a run ready to verify pairs.

    Args:
        run: a run that was evaluated, or has a classifier of pairs.
        encoder: its encoder.
        warn: told where the calibration cannot be checked.

    Raises:
        RunError: it has no calibration that fits its weights, or lacks the classifier that its settings ask for.
    """
    classifier = load_pair_classifier(run)
    return Verifier(run, encoder, classifier, classifier.calibration if classifier else load_thresholds(run, warn))
