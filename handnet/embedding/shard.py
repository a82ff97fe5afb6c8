"""Shards of photos to vectors: what the job of one machine and the workers of a cluster have in common.

Both read, check, decode, batch and embed by this code, in groups of the same photos: so their vectors are the same.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.settings import ImageConfig
from handnet.data.remote.addresses import is_address
from handnet.data.remote.remote_photos import read_photo_anywhere
from handnet.embedding.engines import Engine
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


def embed_shards(
    shards: Sequence[Sequence[str]],
    image: ImageConfig,
    engine: Engine,
    width: int,
    batch_size: int,
    tell: Callable[[int], None],
    num_threads: int = 0,
    decode: Callable[[bytes], Decoded] | None = None,
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

    Raises:
        DataError: a server or bucket that cannot be reached.
    """
    todo = [place for shard in shards for place in shard]
    num_threads = num_threads or os.cpu_count() or 1
    if any(map(is_address, todo)):
        num_threads = max(num_threads, _REMOTE_READERS)
    done = 0
    with ThreadPoolExecutor(max_workers=num_threads) as pool:
        decoded = _decode_ahead(pool, todo, decode or build_hand_decoder(image), max(4 * batch_size, 2 * num_threads))
        try:
            for shard in shards:
                reasons: list[str] = []
                hands: list[SeenHand] = []
                photos = itertools.islice(decoded, len(shard))
                vectors = embed(engine.embed, _stack_good(photos, batch_size, reasons, hands, tell, done), width)
                done += len(reasons)
                yield Shard(vectors, reasons, hands)
        finally:
            pool.shutdown(cancel_futures=True)


def _decode_ahead(
    pool: ThreadPoolExecutor, places: Sequence[str], decode: Callable[[bytes], Decoded], ahead: int
) -> Iterator[Decoded]:
    """Yield what came of the photos in order, while the next `ahead` photos are decoded."""

    def read(place: str) -> Decoded:
        contents, problem = read_photo_anywhere(place)
        return Decoded(None, problem) if problem else decode(contents)

    waiting: deque[Future[Decoded]] = deque()
    for place in places:
        waiting.append(pool.submit(read, place))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _stack_good(
    decoded: Iterator[Decoded],
    batch_size: int,
    reasons: list[str],
    hands: list[SeenHand],
    tell: Callable[[int], None],
    done: int,
) -> Iterator[Pixels]:
    """Yield batches of the photos that could be decoded.

    Puts the reason of each photo, or "", into `reasons`, and what is known of the hand of each good one into `hands`.
    """
    while some := list(itertools.islice(decoded, batch_size)):
        good = [photo.pixels for photo in some if photo.pixels is not None]
        if good:
            yield np.stack(good)
        reasons += [photo.problem for photo in some]
        hands += [photo.hand for photo in some if photo.hand is not None]
        tell(done + len(reasons))


def list_hands(hands: Sequence[SeenHand]) -> dict[str, npt.NDArray[Any]]:
    """Return what is known of hands as columns, by the names of `HAND_COLUMNS`; of no hands none."""
    return {name: np.array([read(hand) for hand in hands]) for name, read in HAND_COLUMNS.items()} if hands else {}


# What a file of vectors says of the hand of each photo. Not the labels: those are what its owner says.
HAND_COLUMNS: Mapping[str, Callable[[SeenHand], str | float]] = {
    "hand_scores": lambda hand: hand.score,
    "seen_sides": lambda hand: hand.side,
    "seen_views": lambda hand: hand.view,
    "seen_confidences": lambda hand: hand.confidence,
    "qualities": lambda hand: hand.quality,
}
