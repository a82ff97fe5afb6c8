"""The blocks of all pairs, counted by several processes; what is counted survives a kill."""

import contextlib
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from handnet.console import Progress, hide_progress
from handnet.files import write_with
from handnet.metrics.pairs.block_counts import (
    NUM_COARSE_BINS,
    NUM_FINE_BINS,
    BlockCounts,
    PairLayout,
    ViewRows,
    count_block,
)

STATE_FILE = "state.npz"
_SAVE_EVERY_S = 30.0
Counts = npt.NDArray[np.int64]
Block = tuple[int, int]


class PairCounts(NamedTuple):
    """All blocks together.

    Attributes:
        dorsal: int64 (P,) wrong palmar photos that come before each right one, in the order of `layout.dorsal.limits`.
        palmar: int64 (P,) likewise for palmar photos.
        histogram: int64 (NUM_FINE_BINS,) pairs of different people by similarity.
        groups: int64 (G, G, NUM_COARSE_BINS) the same by groups, the dorsal photo's first.
    """

    dorsal: Counts
    palmar: Counts
    histogram: Counts
    groups: Counts


def count_pairs(layout: PairLayout, folder: Path, num_processes: int, progress: Progress = hide_progress) -> PairCounts:
    """Count all blocks.

    Args:
        layout: the photos.
        folder: where the photos are laid for the processes, and what is counted is kept, so that a second call with the same
            photos continues; delete it afterwards.
        num_processes: each computes with one thread, and holds one tile of a block.
        progress: told of (pairs done, pairs in all), counted from where the work is continued.

    Raises:
        DiskError: the folder cannot be written.
    """
    key = _digest(layout)
    groups = range(layout.num_groups)
    counts, done = _load(folder / STATE_FILE, key, layout)
    todo = [(g, h) for g in groups for h in groups if not done[g, h]]
    sizes = {block: _count_cells(layout, block) for block in todo}
    count, total, cells = progress("compare pairs"), sum(sizes.values()), 0
    saved = time.monotonic()
    try:
        with contextlib.closing(_count_blocks(layout, folder, todo, num_processes)) as found:
            for (g, h), block in found:
                _add(counts, layout, (g, h), block)
                done[g, h] = True
                cells += sizes[g, h]
                # A group may have no photo of a view.
                if sizes[g, h]:
                    count(cells, total)
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    _save(folder / STATE_FILE, key, counts, done)
                    saved = time.monotonic()
    except BaseException:
        _save(folder / STATE_FILE, key, counts, done)
        raise
    return counts


def _count_cells(layout: PairLayout, block: Block) -> int:
    sizes = [int(np.diff(side.starts)[group]) for side, group in zip(layout[:2], block, strict=True)]
    return sizes[0] * sizes[1]


def _add(counts: PairCounts, layout: PairLayout, block: Block, found: BlockCounts) -> None:
    for side, group, total, more in zip(
        layout[:2], block, (counts.dorsal, counts.palmar), (found.dorsal, found.palmar), strict=True
    ):
        begin, end = side.offsets[side.starts[group : group + 2]]
        total[begin:end] += more
    counts.histogram[:] += found.histogram
    counts.groups[block] += found.histogram.reshape(NUM_COARSE_BINS, -1).sum(axis=1)


def _count_blocks(
    layout: PairLayout, folder: Path, blocks: Sequence[Block], num_processes: int
) -> Generator[tuple[Block, BlockCounts]]:
    if num_processes == 1:
        # As in each process of several: the products are small, and threads would wait for each other.
        with threadpool_limits(1):
            for block in blocks:
                yield block, count_block(layout, *block)
        return
    for side, name in zip(layout[:2], ("dorsal", "palmar"), strict=True):
        for field, values in side._asdict().items():
            _write_array(folder / f"{name}_{field}.npy", values)
    waiting: dict[Future[BlockCounts], Block] = {}
    remaining = iter(blocks)
    # Not forked: a copy of a process that has threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_processes, context, _open_layout, (folder, layout.num_groups)) as pool:
        try:
            while True:
                # Few at a time, so that a stop is soon heard.
                for block in remaining:
                    waiting[pool.submit(_count_shared, *block)] = block
                    if len(waiting) >= 2 * num_processes:
                        break
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _write_array(file: Path, values: npt.NDArray[np.generic]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.save(stream, values)

    write_with(file, write)


# In a process of the pool: the photos, which all processes share by the system's page cache.
_SHARED: list[PairLayout] = []


def _open_layout(folder: Path, num_groups: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)
    sides = [
        ViewRows(*(np.load(folder / f"{name}_{field}.npy", mmap_mode="r") for field in ViewRows._fields))
        for name in ("dorsal", "palmar")
    ]
    _SHARED[:] = [PairLayout(sides[0], sides[1], np.empty(0, np.float32), num_groups)]


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: where that was killed, a worker would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _count_shared(dorsal_group: int, palmar_group: int) -> BlockCounts:
    return count_block(_SHARED[0], dorsal_group, palmar_group)


def _digest(layout: PairLayout) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for side in layout[:2]:
        for values in side:
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _load(file: Path, key: str, layout: PairLayout) -> tuple[PairCounts, npt.NDArray[np.bool_]]:
    """Return what a former call with the same photos has counted, or nothing counted yet."""
    shape = layout.num_groups, layout.num_groups
    if file.is_file():
        try:
            with np.load(file, allow_pickle=False) as state:
                if str(state["key"]) == key:
                    return PairCounts(*(state[name] for name in PairCounts._fields)), state["done"]
        except (OSError, ValueError, KeyError, EOFError):
            # A power cut can leave a file that was renamed and never filled: then all is counted again.
            pass
    num_pairs = len(layout.dorsal.limits)
    counts = PairCounts(
        np.zeros(num_pairs, np.int64),
        np.zeros(num_pairs, np.int64),
        np.zeros(NUM_FINE_BINS, np.int64),
        np.zeros((*shape, NUM_COARSE_BINS), np.int64),
    )
    return counts, np.zeros(shape, bool)


def _save(file: Path, key: str, counts: PairCounts, done: npt.NDArray[np.bool_]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez(stream, key=np.array(key), done=done, **counts._asdict())

    write_with(file, write)
