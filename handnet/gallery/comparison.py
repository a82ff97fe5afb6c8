"""Two photos compared with each other, without anybody enrolled."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from handnet.gallery.encoder import Encoder, PhotoInput
from handnet.gallery.enrolment import decide_kind
from handnet.gallery.pairings import Matching
from handnet.gallery.records import UNKNOWN, HandKind

NUM_BINS = 40

Shares = npt.NDArray[np.float64]


class Distributions(NamedTuple):
    """Where the scores of calibration people lie.

    Attributes:
        edges: (NUM_BINS + 1,) cosines.
        genuine: (NUM_BINS,) share of the scores of one person.
        impostor: (NUM_BINS,) share of the scores of two people.
    """

    edges: Shares
    genuine: Shares
    impostor: Shares


class Comparison(NamedTuple):
    """Whether two photos show one person.

    Attributes:
        problem: why there is no answer, or "".
        kinds: of the two hands.
        same: at or above the threshold.
        probability: of one person, where both answers are as likely before seeing the photos; 0..1.
        log_ratio: natural log-likelihood ratio.
        similarity: cosine.
        threshold: cosine at which both error rates are equal for calibration people.
        pairing: how they were compared, in words.
        origin: where calibration and threshold come from, in words.
        distributions: of the scores of calibration people; None where there is no answer.
    """

    problem: str
    kinds: tuple[HandKind, HandKind] = (UNKNOWN, UNKNOWN)
    same: bool = False
    probability: float = 0.0
    log_ratio: float = 0.0
    similarity: float = 0.0
    threshold: float = 0.0
    pairing: str = ""
    origin: str = ""
    distributions: Distributions | None = None


def compare_photos(
    encoder: Encoder,
    matching: Matching,
    first: PhotoInput,
    second: PhotoInput,
    kinds: tuple[HandKind, HandKind] = (UNKNOWN, UNKNOWN),
) -> Comparison:
    """Compare two photos by the calibration of a gallery.

    Args:
        encoder: the model that the calibration is of.
        matching: the calibrations.
        first: file, bytes or uint8 array (H, W, 3).
        second: likewise.
        kinds: view and side of the two hands, "" as the model sees them.
    """
    results = encoder.embed([first, second])
    seen = [decide_kind(result.kind, *given) for result, given in zip(results, kinds, strict=True)]
    both = (seen[0], seen[1])
    for name, result in zip(("first", "second"), results, strict=True):
        if result.vector is None:
            return Comparison(f"the {name} photo cannot be used: {result.reason}", both)
    found = matching.find(both[0], both[1], 1)
    if found is None:
        return Comparison(f"there is no calibration for such a pair: {both[0]} and {both[1]}", both)
    pairing, fit = found
    first_vector, second_vector = results[0].vector, results[1].vector
    assert first_vector is not None, "photos without a vector were refused before"
    assert second_vector is not None, "photos without a vector were refused before"
    cosine = float(np.clip(first_vector @ second_vector, -1, 1))
    ratio = float(fit.compute_log_ratio(cosine))
    impostors = fit.impostors[np.isfinite(fit.impostors)]
    return Comparison(
        "",
        both,
        cosine >= fit.equal_error_threshold,
        float(expit(ratio)),
        ratio,
        cosine,
        fit.equal_error_threshold,
        str(pairing),
        matching.origin,
        _count(fit.genuine, impostors),
    )


def _count(genuine: npt.NDArray[np.float32], impostor: npt.NDArray[np.float32]) -> Distributions:
    """Return histograms over the range that holds the scores, the pair's own aside."""
    scores = np.concatenate([genuine, impostor]).astype(np.float64)
    edges = np.linspace(scores.min(), max(scores.max(), scores.min() + 1e-6), NUM_BINS + 1)
    shares = [
        np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / max(len(part), 1) for part in (genuine, impostor)
    ]
    return Distributions(edges, shares[0], shares[1])
