"""The vectors of a run for its figures: those that are kept, else computed by its encoder, which is loaded for that only."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run
from handnet.console import Progress, hide_progress
from handnet.data.cache import digest_bytes
from handnet.data.checks import read_photo
from handnet.data.example import Example
from handnet.embedding.frozen_encoder import is_switched_on
from handnet.embedding.kept_vectors import KeptPhoto, KeptVectors
from handnet.embedding.run_identity import describe_run
from handnet.metrics.embedded import EmbeddedPart, label_embeddings

if TYPE_CHECKING:
    from handnet.networks.encoder import Encoder

Floats = npt.NDArray[np.float32]
# How figures are computed: features by batches, kept by themselves, and the head over all of them. Other ways round otherwise.
_WAY = ("features and head", "float32")


class PhotoVectors(NamedTuple):
    """What is computed of photos.

    Attributes:
        features: float32 (N, F), what a classifier of pairs takes.
        embeddings: float32 (N, D), unit vectors.
    """

    features: Floats
    embeddings: Floats


def compute_run_vectors(
    run: Run, load: "Callable[[], Encoder]", paths: Sequence[str], progress: Progress = hide_progress
) -> PhotoVectors:
    """Return what the classifier and the distance take of photos; what was computed once is never computed again.

    Args:
        run: the run.
        load: loads its encoder, TensorFlow with it; not called where everything is known.
        paths: N photos.
        progress: told of (pictures done, pictures in all).

    Raises:
        DataError: photos that cannot be decoded.
        DiskError: the cache cannot be written.
    """
    if not is_switched_on():
        return _compute(run, load(), paths, progress)
    kept = KeptVectors(describe_run(run), *_WAY)
    read = [read_photo(path) for path in paths]
    digests = ["" if problem else digest_bytes(contents) for contents, problem in read]
    of_backbone = run.config.pairs.features == "backbone"
    known = [kept.read(digest) if digest else None for digest in digests]
    if None in known:
        found = _compute(run, load(), paths, progress)
        for row, digest in enumerate(digests):
            if known[row] is None:
                photo = KeptPhoto(found.embeddings[row], features=found.features[row] if of_backbone else None)
                known[row] = photo
                kept.write(digest, photo)
    kept.mark_used(digests)
    embeddings = _stack([photo.embedding for photo in known if photo is not None])
    return PhotoVectors(_stack([p.features for p in known if p is not None]) if of_backbone else embeddings, embeddings)


def embed_run_part(
    run: Run,
    load: "Callable[[], Encoder]",
    examples: Sequence[Example],
    progress: Progress = hide_progress,
    name: str = "",
) -> EmbeddedPart:
    """Embed the photos of a part; see `compute_run_vectors`.

    Raises:
        DataError: photos that cannot be decoded.
        EvaluationError: embeddings that are not finite unit vectors.
    """
    vectors = compute_run_vectors(run, load, [example.path for example in examples], progress)
    return label_embeddings(vectors.embeddings, examples, name)


def _compute(run: Run, encoder: "Encoder", paths: Sequence[str], progress: Progress) -> PhotoVectors:
    from handnet.embedding.encode import compute_vectors

    return compute_vectors(run.config, encoder, paths, progress)


def _stack(rows: Sequence[Floats | None]) -> Floats:
    return np.stack([row for row in rows if row is not None])
