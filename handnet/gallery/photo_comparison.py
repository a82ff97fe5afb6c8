"""Two photos compared with each other, without anybody enrolled."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.gallery.answers import Verdict, decide_same
from handnet.gallery.pairings import Matching
from handnet.gallery.photo_encoder import PhotoEncoder, PhotoInput
from handnet.gallery.records import UNKNOWN, HandKind, decide_kind, describe_contradiction

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
        verdict: the answer.
        kinds: of the two hands.
        remarks: what should be known about the answer.
        distributions: of the scores of calibration people; None where there is no answer.
    """

    verdict: Verdict
    kinds: tuple[HandKind, HandKind]
    remarks: tuple[str, ...] = ()
    distributions: Distributions | None = None


def compare_photos(
    encoder: PhotoEncoder,
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
            return Comparison(Verdict(f"the {name} photo cannot be used: {result.reason}"), both)
    remarks = tuple(
        f"{name} photo: {remark}"
        for name, result, kind in zip(("first", "second"), results, both, strict=True)
        for remark in (*result.remarks, *describe_contradiction(result.kind, kind))
    )
    found = matching.find(both[0], both[1], 1)
    if found is None:
        reason = f"there is no calibration for such a pair: {both[0]} and {both[1]}"
        return Comparison(Verdict(reason), both, remarks)
    first_vector, second_vector = results[0].vector, results[1].vector
    assert first_vector is not None, "photos without a vector were refused before"
    assert second_vector is not None, "photos without a vector were refused before"
    fit = found[1]
    return Comparison(
        decide_same(first_vector, second_vector, *found, matching.origin),
        both,
        remarks,
        _count(fit.genuine, fit.impostors[np.isfinite(fit.impostors)]),
    )


def _count(genuine: npt.NDArray[np.float32], impostor: npt.NDArray[np.float32]) -> Distributions:
    """Return histograms over the range that holds the scores, the pair's own aside."""
    scores = np.concatenate([genuine, impostor]).astype(np.float64)
    edges = np.linspace(scores.min(), max(scores.max(), scores.min() + 1e-6), NUM_BINS + 1)
    shares = [
        np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / max(len(part), 1) for part in (genuine, impostor)
    ]
    return Distributions(edges, shares[0], shares[1])
