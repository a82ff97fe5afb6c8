"""A written SavedModel compared with the encoder on photos: every signature, as TensorFlow optimises it or as it was written."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.export.exported_model import Signatures
from handnet.export.loaded_model import LoadedModel
from handnet.export.signatures import DEFAULT
from handnet.images.decode import read_photo
from handnet.images.hand.findings import FINDINGS, SEVERAL
from handnet.images.pillow_decode import read_for_graph
from handnet.metrics.pairs.calibration import Calibration, compute_probability
from handnet.networks.graph_session import GraphError
from handnet.networks.saved_graph import SavedGraph

# What a signature returns, by name.
Outputs: TypeAlias = Mapping[str, npt.NDArray[Any]]

# Where signatures differ by more when run as they were written, they are run as TensorFlow optimises them.
_PLAIN_ERROR = 1e-5
# Largest difference of a vector between the two. The optimizer rounds some operation of the hand's crop otherwise: then single
# pixels differ by one of 255.
_WRITTEN_ERROR = 2e-4
# Photos on which the signatures other than `embed` are compared; pixels of each are sent alone, since each has its own size.
_NUM_FEW = 4
# The beginning of a PNG and no more; the JPEG library would write of such a JPEG on standard error.
_DAMAGED = b"\x89PNG\r\n\x1a\n"


class Reference(NamedTuple):
    """What a model is exported from, on N photos.

    Attributes:
        images: uint8 (N, S, S, 3), as training decodes them.
        vectors: float32 (N, D), the encoder's.
        scores: float32 (N,), the head's of each photo with the first; None where the cosine decides.
    """

    images: npt.NDArray[np.uint8]
    vectors: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32] | None = None


class _Expected(NamedTuple):
    """What a model is compared on.

    Attributes:
        contents: the files, a damaged one second.
        ok: bool, false for that one alone.
        vectors: float32 (N + 1, D), zeros for that one.
        pixels: of the first few photos, uint8 (1, H, W, 3) each.
        calibration: what `verify` was built with.
        scores: float32 (N + 1,), of each with the first, 0 for the damaged one.
        by_cosine: the scores are cosines.
    """

    contents: list[bytes]
    ok: npt.NDArray[np.bool_]
    vectors: npt.NDArray[np.float32]
    pixels: list[npt.NDArray[np.uint8]]
    calibration: Calibration | None
    scores: npt.NDArray[np.float32]
    by_cosine: bool


def compare_archive(
    folder: Path,
    paths: Sequence[str],
    compute: Callable[[], Reference],
    image: ImageConfig,
    calibration: Calibration | None,
) -> float:
    """Run every signature of a written SavedModel on photos and return the largest difference from what is expected.

    `embed` is run on all photos, as TensorFlow optimises it when it serves; the others, which call the same steps, on the first
    four, as they were written, and meanwhile: TensorFlow's C library needs no Python for it. As they were written they are
    compared with `serving_default`, and that with the encoder to 2e-4. What is expected is computed meanwhile too.

    Args:
        folder: the SavedModel.
        paths: one photo or more.
        compute: what the encoder makes of these photos.
        image: how photos were decoded in training.
        calibration: what `verify` was built with.

    Returns:
        The largest absolute difference of vectors, similarities and probabilities; infinity where a flag or a decision is
        not the right one, or where a damaged photo among the others is not flagged or moves its neighbours.
    """
    # A photo that ends within its header stands between good ones. Half a photo would not do: phones append videos.
    contents = [read_for_graph(path) for path in paths]
    contents.insert(1, _DAMAGED)

    def expect() -> _Expected:
        _, vectors, scores = compute()
        return _Expected(
            contents,
            np.arange(len(contents)) != 1,
            np.insert(vectors, 1, 0.0, axis=0),
            [read_photo(tf.constant(photo), image).numpy()[None] for photo in (contents[:1] + contents[2:])[:_NUM_FEW]],
            calibration,
            np.insert(vectors @ vectors[0] if scores is None else scores, 1, 0.0),
            scores is None,
        )

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(_compare_others_quickly, folder, contents, expect)
        # TensorFlow loads it, the objects of the file too, which the C library does not read.
        loaded = LoadedModel(folder)
        received = loaded.run("embed", photos=contents)
        known, differences = other.result()
    difference = float(np.max(_compare_vectors(received, known, len(contents))))
    if differences is None:
        with _without_graph_optimizer():
            differences = _compare_others(loaded, known, _run_first(loaded, contents), as_written=True)
    if not differences <= _PLAIN_ERROR:
        differences = _compare_others(loaded, known, _run_first(loaded, contents))
    return max(difference, differences)


def _compare_others_quickly(
    folder: Path, contents: Sequence[bytes], expect: Callable[[], _Expected]
) -> tuple[_Expected, float | None]:
    """Return what is expected, and the largest difference of the signatures as they were written; None without the C library.

    What is expected takes Python's time, as loading the model does meanwhile; so the C library, which takes none, comes first.
    """
    try:
        signatures = SavedGraph(folder)
        seen = _run_first(signatures, contents)
    except GraphError:
        return expect(), None
    known = expect()
    try:
        return known, _compare_others(signatures, known, seen, as_written=True)
    except GraphError:
        return known, None


def _run_first(signatures: Signatures, contents: Sequence[bytes]) -> Outputs:
    """Return what `serving_default` gives of the first few photos."""
    return signatures.run(DEFAULT, photos=contents[: _NUM_FEW + 1])


def _compare_vectors(received: Outputs, known: _Expected, count: int) -> list[float]:
    flags = _differ_flags(received["ok"], known.ok[:count])
    return [_differ(received["embeddings"], known.vectors[:count]), flags]


def _compare_others(signatures: Signatures, known: _Expected, seen: Outputs, as_written: bool = False) -> float:
    """Return the largest difference of the signatures other than `embed`.

    Args:
        signatures: of the written model.
        known: what is expected.
        seen: what `serving_default` gives of the first few photos.
        as_written: run without TensorFlow's optimizer.
    """
    few = _NUM_FEW + 1
    differences = _compare_vectors(seen, known, few)
    if as_written and differences[0] <= _WRITTEN_ERROR:
        # What the optimizer changes is known by `embed`, which is run with it; here, that all signatures do the same.
        known = _expect_as_written(known, seen["embeddings"])
        differences[0] = 0.0
    good = np.flatnonzero(known.ok[:few])
    for photo, row in zip(known.pixels, good, strict=True):
        received = signatures.run("embed_pixels", images=photo)
        differences.append(_differ(received["embeddings"], known.vectors[[row]]))
    if known.calibration is not None:
        # Each against the first, which is also the pair of a photo with itself; of the damaged one there is none.
        first, fit = known.contents[:few], known.ok[:few] & _find_fit(seen)
        answered = fit & fit[0]
        received = signatures.run("verify", first=first, second=first[:1] * len(first))
        differences.append(_differ_flags(received["ok"], answered))
        differences += _differ_pairs(received, known.scores[:few], answered, known.calibration)
        for photo, row in zip(known.pixels, good, strict=True):
            received = signatures.run("verify_pixels", first=photo, second=known.pixels[0])
            differences += _differ_pairs(received, known.scores[[row]], answered[[row]], known.calibration)
    return float(np.max(differences))


def _expect_as_written(known: _Expected, vectors: npt.NDArray[np.float32]) -> _Expected:
    """Return what is expected of signatures where `serving_default` gives these vectors of the first few photos."""
    scores = vectors @ vectors[0] if known.by_cosine else known.scores
    return known._replace(vectors=vectors, scores=scores)


def _find_fit(seen: Outputs) -> npt.NDArray[np.bool_]:
    """Return of which photos a pair may have an answer, (N,) bool, by what `embed` says of them."""
    if "finding" not in seen:
        return np.ones(len(seen["ok"]), np.bool_)
    several = seen["finding"] == FINDINGS[SEVERAL].encode()
    return np.asarray(~several & (seen["quality"] > 0.0), np.bool_)


@contextlib.contextmanager
def _without_graph_optimizer() -> Iterator[None]:
    """Run graph functions as they were written."""
    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    tf.config.optimizer.set_experimental_options({name: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def _differ_pairs(
    received: Mapping[str, npt.NDArray[np.generic]],
    similarities: npt.NDArray[np.floating],
    ok: npt.NDArray[np.bool_],
    calibration: Calibration,
) -> list[float]:
    expected = np.where(ok, similarities, 0.0)
    # From the model's own similarities, so that a steep curve does not magnify their rounding.
    probability = compute_probability(calibration, received["similarity"])
    decision = received["similarity"] >= np.float32(calibration.equal_error_threshold)
    return [
        _differ(received["similarity"], expected),
        _differ(received["probability"], np.where(ok, probability, 0.0)),
        _differ_flags(received["decision"], ok & decision),
    ]


def _differ(received: npt.NDArray[Any], expected: npt.NDArray[np.floating]) -> float:
    # NaN compares as different.
    difference = float(np.max(np.abs(received - expected), initial=0.0))
    return difference if np.isfinite(difference) else np.inf


def _differ_flags(received: npt.NDArray[np.generic], expected: npt.NDArray[np.bool_]) -> float:
    return 0.0 if np.array_equal(received, expected) else np.inf
