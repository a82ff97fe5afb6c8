"""Do two photos show one person? By the frozen graph that a run's first answer left in the cache, without TensorFlow."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import PAIR_CALIBRATION_FILE, Run
from handnet.console import Echo
from handnet.data.checks import read_photo
from handnet.embedding.frozen_encoder import FrozenPhoto, read_frozen
from handnet.errors import DataError
from handnet.evaluation.kept_thresholds import load_thresholds
from handnet.evaluation.pair_verdict import CLASSIFIER, DISTANCE, Verdict, decide, refuse_unfit
from handnet.images.seen_hand import SeenHand
from handnet.images.unusable_photos import explain_given
from handnet.metrics.pairs.calibration import load_calibration
from handnet.metrics.pairs.pair_list import score_cosine
from handnet.networks.graph_session import GraphError


class QuickAnswer(NamedTuple):
    """What is said of two photos.

    Attributes:
        verdict: the answer.
        hands: what the landmarks say of the hand in each; none where crops do not go by landmarks.
    """

    verdict: Verdict
    hands: list[SeenHand]


def verify_quickly(run: Run, first: str, second: str, warn: Echo) -> QuickAnswer | None:
    """Verify two photos by the run's frozen graph; None where none is kept or it fails: then `verify_once` answers.

    Args:
        run: a run that was evaluated, or has a classifier of pairs.
        first: a file.
        second: another.
        warn: told where the calibration cannot be checked.

    Raises:
        DataError: a photo that cannot be used, or shows several hands or too little of one.
        RunError: there is no calibration that fits the run's weights.
    """
    frozen = read_frozen(run)
    if frozen is None:
        return None
    by_classifier = run.config.pairs.form != "none"
    calibration = load_calibration(run.folder / PAIR_CALIBRATION_FILE) if by_classifier else load_thresholds(run, warn)
    try:
        one, two = photos = [frozen.embed(read_photo(path)[0]) for path in (first, second)]
        problems = {path: photo.problem for path, photo in zip((first, second), photos, strict=True) if photo.problem}
        if problems:
            raise DataError(explain_given(problems, len({first, second})))
        refuse_unfit((first, second), [photo.hand for photo in photos])
        if by_classifier:
            of_backbone = run.config.pairs.features == "backbone"
            score = frozen.score_pair(_pick(one, of_backbone), _pick(two, of_backbone))
        else:
            score = float(score_cosine(_pick(one, False)[None], _pick(two, False)[None])[0])
    except GraphError:
        return None
    [verdict] = decide([score], calibration, CLASSIFIER if by_classifier else DISTANCE)
    return QuickAnswer(verdict, [photo.hand for photo in photos if photo.hand is not None])


def _pick(photo: FrozenPhoto, of_backbone: bool) -> npt.NDArray[np.float32]:
    vector = photo.features if of_backbone else photo.embedding
    assert vector is not None, "a photo without a problem has vectors"
    return vector
