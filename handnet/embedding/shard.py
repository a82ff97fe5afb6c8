"""Shards of photos to vectors: what the job of one machine and the workers of a cluster have in common.

Both read, check, decode, batch and embed by this code, in groups of the same photos: so their vectors are the same.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.image import ImageConfig
from handnet.data.cache import digest_bytes
from handnet.data.remote.addresses import is_address
from handnet.data.remote.remote_photos import read_photo_anywhere
from handnet.embedding.engines import Engine
from handnet.embedding.kept_vectors import KeptPhoto, KeptVectors
from handnet.embedding.loop import embed
from handnet.images.photo_store import Decoded, build_hand_decoder
from handnet.images.seen_hand import SeenHand

# Photos after which what is done is written down, and after which the division into batches begins again.
SHARD_SIZE = 256
# A photo from elsewhere is waited for: so many are asked for at a time, on however few cores.
_REMOTE_READERS = 16
Pixels = npt.NDArray[np.uint8]


class Shard(NamedTuple):
    """What came of N photos, M of them good.

    Attributes:
        vectors: float32 (M, D), in the order of the photos.
        reasons: N times "", or why there is no vector.
        hands: what the landmarks say of the M photos; empty where crops do not go by landmarks.
    """

    vectors: npt.NDArray[np.float32]
    reasons: list[str]
    hands: list[SeenHand]


class _Read(NamedTuple):
    """A photo that was read: its digest where vectors are kept, and what came of it, from the cache or by decoding."""

    digest: str
    kept: KeptPhoto | None
    decoded: Decoded


def embed_shards(
    shards: Sequence[Sequence[str]],
    image: ImageConfig,
    engine: Engine,
    width: int,
    batch_size: int,
    tell: Callable[[int], None],
    num_threads: int = 0,
    decode: Callable[[bytes], Decoded] | None = None,
    kept: KeptVectors | None = None,
) -> Generator[Shard]:
    """Yield what comes of each shard of photos, while threads read and decode ahead.

    Args:
        shards: the places of their photos, paths or addresses.
        image: how they are decoded.
        engine: what computes the vectors, built for `batch_size`.
        width: D.
        batch_size: photos at a time.
        tell: called with the number of photos done of this shard and those before it.
        num_threads: of decoding; 0: as many as there are cores.
        decode: from the bytes of a photo; None: `build_hand_decoder`'s, which leaves the cache alone.
        kept: what this engine has given before: such photos are neither decoded nor embedded, and others are added to it.

    Raises:
        DataError: a server or bucket that cannot be reached.
    """
    todo = [place for shard in shards for place in shard]
    num_threads = num_threads or os.cpu_count() or 1
    if any(map(is_address, todo)):
        num_threads = max(num_threads, _REMOTE_READERS)
    done = 0
    with ThreadPoolExecutor(max_workers=num_threads) as pool:
        decode = decode or build_hand_decoder(image)
        photos = _read_ahead(pool, todo, decode, kept, max(4 * batch_size, 2 * num_threads))
        try:
            for shard in shards:
                found: list[_Read] = []
                pixels = _stack_new(itertools.islice(photos, len(shard)), batch_size, found, tell, done)
                vectors = embed(engine.embed, pixels, width)
                done += len(found)
                yield _join(found, vectors, kept)
        finally:
            pool.shutdown(cancel_futures=True)


def _read_ahead(
    pool: ThreadPoolExecutor,
    places: Sequence[str],
    decode: Callable[[bytes], Decoded],
    kept: KeptVectors | None,
    ahead: int,
) -> Iterator[_Read]:
    """Yield what came of the photos in order, while the next `ahead` photos are read and decoded."""

    def read(place: str) -> _Read:
        contents, problem = read_photo_anywhere(place)
        if problem:
            return _Read("", None, Decoded(None, problem))
        if kept is None:
            return _Read("", None, decode(contents))
        digest = digest_bytes(contents)
        known = kept.read(digest)
        return _Read(digest, known, decode(contents) if known is None else Decoded(None, known.problem))

    waiting: deque[Future[_Read]] = deque()
    for place in places:
        waiting.append(pool.submit(read, place))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _stack_new(
    photos: Iterator[_Read], batch_size: int, found: list[_Read], tell: Callable[[int], None], done: int
) -> Iterator[Pixels]:
    """Yield batches of the photos that are to be embedded, and put all of them, without their pixels, into `found`."""
    while some := list(itertools.islice(photos, batch_size)):
        new = [photo.decoded.pixels for photo in some if photo.decoded.pixels is not None]
        if new:
            yield np.stack(new)
        found += [photo._replace(decoded=photo.decoded._replace(pixels=None)) for photo in some]
        tell(done + len(found))


def _join(found: Sequence[_Read], vectors: npt.NDArray[np.float32], kept: KeptVectors | None) -> Shard:
    """Return the shard of photos, given the vectors of those that were not known, in order; these are kept."""
    computed = iter(vectors)
    photos = []
    for read in found:
        photo = read.kept
        if photo is None:
            problem = read.decoded.problem
            photo = KeptPhoto(None if problem else next(computed), problem, hand=read.decoded.hand)
            if kept is not None and read.digest:
                kept.write(read.digest, photo)
        photos.append(photo)
    if kept is not None:
        kept.mark_used(read.digest for read in found if read.digest)
    good = [photo.embedding for photo in photos if photo.embedding is not None]
    hands = [photo.hand for photo in photos if photo.hand is not None]
    return Shard(np.stack(good) if good else vectors[:0], [photo.problem for photo in photos], hands)
