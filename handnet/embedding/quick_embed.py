"""Vectors of photos that are known, and of a few others by the run's frozen graph: without TensorFlow's Python part and Keras."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run
from handnet.data.cache import digest_bytes, trim_cache
from handnet.data.checks import read_photo
from handnet.data.remote.addresses import is_address
from handnet.embedding.engine_names import WAYS
from handnet.embedding.frozen_encoder import is_switched_on, read_frozen
from handnet.embedding.hand_columns import list_hands
from handnet.embedding.kept_vectors import KeptPhoto, KeptVectors
from handnet.embedding.run_identity import describe_run
from handnet.networks.graph_session import GraphError

FROZEN = ("frozen graph", "float32")
# One after the other they take a twentieth of a second each, and starting TensorFlow and tracing the decode five seconds.
_MAX_FROZEN = 64


class Vectors(NamedTuple):
    """What came of the photos.

    Attributes:
        embeddings: float32 (M, D), of the photos that could be decoded.
        rows: their positions among the photos, M ascending numbers.
        problems: the reason by path for all others.
        hands: what the landmarks say of the M photos, by column; empty where crops do not go by landmarks.
    """

    embeddings: npt.NDArray[np.float32]
    rows: list[int]
    problems: dict[str, str]
    hands: dict[str, npt.NDArray[Any]]


class QuickVectors(NamedTuple):
    """What came of the photos, and what has computed it."""

    vectors: Vectors
    engine: str
    precision: str


def embed_quickly(run: Run, paths: Sequence[str], engine: str) -> QuickVectors | None:
    """Embed photos by what is kept of the run; None where that does not suffice, and an engine must do it.

    Args:
        run: the run.
        paths: the photos; those that lie elsewhere are not read for this.
        engine: a name of ENGINES, whose own vectors must all be known; or "auto": those of any, or, where a few photos are
            not known, the run's frozen graph, if it was kept.

    Raises:
        DiskError: the cache cannot be written.
    """
    if not is_switched_on() or not paths or any(map(is_address, paths)):
        return None
    described = describe_run(run)
    stores = [KeptVectors(described, *named) for named in WAYS if engine in ("auto", named[0])]
    frozen = KeptVectors(described, *FROZEN) if engine == "auto" else None
    known: dict[KeptVectors, list[KeptPhoto | None]] = {store: [] for store in (*stores, *filter(None, [frozen]))}
    digests = []
    for digest, problem in _look(paths):
        digests.append(digest)
        for store in list(known):
            photo = KeptPhoto(None, problem) if problem else store.read(digest)
            known[store].append(photo)
            if photo is None and known[store].count(None) > (_MAX_FROZEN if store is frozen else 0):
                del known[store]
        if not known:
            return None
    store = next(iter(known))
    photos = _complete(run, paths, store, known[store])
    if photos is None:
        return None
    store.mark_used(filter(None, digests))
    vectors = _gather(paths, photos)
    return None if vectors is None else QuickVectors(vectors, store.engine, store.precision)


def _look(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the digest of each photo, or "" and why it cannot be read, a few files ahead."""

    def look(path: str) -> tuple[str, str]:
        contents, problem = read_photo(path)
        return ("" if problem else digest_bytes(contents)), problem

    at_once = 4 * (os.cpu_count() or 1)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for begin in range(0, len(paths), at_once):
            yield from pool.map(look, paths[begin : begin + at_once])


def _complete(
    run: Run, paths: Sequence[str], store: KeptVectors, known: Sequence[KeptPhoto | None]
) -> list[KeptPhoto] | None:
    """Return what came of all photos, those that are not known by the frozen graph; None where none is kept or it fails."""
    photos = [photo for photo in known if photo is not None]
    if len(photos) == len(known):
        return photos
    encoder = read_frozen(run)
    if encoder is None:
        return None
    photos = []
    for path, photo in zip(paths, known, strict=True):
        if photo is None:
            contents, problem = read_photo(path)
            try:
                found = encoder.embed(contents) if not problem else None
            except GraphError:
                return None
            photo = (
                KeptPhoto(None, problem)
                if found is None
                else KeptPhoto(found.embedding, found.problem, hand=found.hand)
            )
            if found is not None:
                store.write(digest_bytes(contents), photo)
        photos.append(photo)
    trim_cache()
    return photos


def _gather(paths: Sequence[str], photos: Sequence[KeptPhoto]) -> Vectors | None:
    """Return the photos' vectors; None where no photo has one, and so nobody knows how long they are."""
    rows = [row for row, photo in enumerate(photos) if photo.embedding is not None]
    embeddings = [photo.embedding for photo in photos if photo.embedding is not None]
    problems = {path: photo.problem for path, photo in zip(paths, photos, strict=True) if photo.problem}
    hands = list_hands([photo.hand for photo in photos if photo.hand is not None])
    return Vectors(np.stack(embeddings), rows, problems, hands) if embeddings else None
