"""Photo ranks and verification of many vectors in blocks: time, pairs a second, and the most memory that is held.

    python benchmarks/large_evaluation.py --photos 20000 100000 --processes 2

Each size runs in a process of its own: simulated people with ten photos, half of each view, vectors of 256 numbers, seed 0.
Printed are also the rate of the matrix product alone on one thread, which bounds every exact computation, and, where it takes
less than a few minutes, the exact functions that `handnet eval` uses without --large.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import describe_machine
from threadpoolctl import threadpool_limits

WIDTH, PHOTOS_PER_PERSON = 256, 10


def main() -> None:
    """Run each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, nargs="+", default=[20_000])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--exact", type=int, default=20_000, help="The most photos of which the exact functions run too."
    )
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure(arguments.one, arguments.processes, arguments.one <= arguments.exact)
        return
    print(describe_machine(("numpy",)))
    print(f"matrix product alone, one thread: {measure_product() / 1e6:,.0f} million pairs a second")
    print("seconds of processor time, all processes; million pairs for each of these seconds; largest resident memory")
    print(f"{'photos':>9} {'pairs':>9} {'seconds':>8} {'million/s':>10} {'main GB':>8} {'worker GB':>9} {'exact s':>8}")
    for number in arguments.photos:
        command = [sys.executable, __file__, "--one", str(number), "--processes", str(arguments.processes)]
        subprocess.run([*command, "--exact", str(arguments.exact)], check=True)


def measure_product() -> float:
    """Return pairs a second of processor time of the product of two tiles, as they are taken."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(1024, WIDTH)).astype(np.float32)
    columns = generator.normal(size=(2048, WIDTH)).astype(np.float32)
    with threadpool_limits(1):
        rows @ columns.T
        begin_s = time.process_time()
        for _ in range(20):
            rows @ columns.T
        return 20 * len(rows) * len(columns) / (time.process_time() - begin_s)


def read_processor_time() -> float:
    """Return the seconds of processor time that this process and its ended children have taken."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(num_photos: int, num_processes: int, with_exact: bool) -> None:
    """Print the row of one size."""
    from handnet.metrics.embedded import EmbeddedPart
    from handnet.metrics.large_part import evaluate_large
    from handnet.metrics.pairs.all_pairs import score_pairs
    from handnet.metrics.protocols import rank_photos

    generator = np.random.default_rng(0)
    people = np.repeat(np.arange(num_photos // PHOTOS_PER_PERSON), PHOTOS_PER_PERSON)
    centres = generator.normal(size=(people[-1] + 1, WIDTH)).astype(np.float32)
    vectors = centres[people]
    for begin in range(0, num_photos, 10_000):
        block = vectors[begin : begin + 10_000]
        block += 1.5 * generator.normal(size=block.shape).astype(np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    del centres
    views = np.where(np.arange(num_photos) % 2 == 0, "dorsal", "palmar")
    names = people.astype(np.str_)
    empty = np.zeros(num_photos, "<U1")
    part = EmbeddedPart(vectors, names, views, empty, ({},) * num_photos, ("",) * num_photos)
    with tempfile.TemporaryDirectory() as folder:
        begin_s = read_processor_time()
        figures = evaluate_large(part, Path(folder) / "work", num_processes, num_replicates=200)
        took_s = read_processor_time() - begin_s
    # What the workers share by the page cache counts in each of them.
    peaks = [resource.getrusage(who).ru_maxrss * 1024 / 1e9 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    pairs = (num_photos // 2) ** 2
    exact = ""
    if with_exact:
        begin_s = read_processor_time()
        score_pairs(part)
        found = rank_photos(part, "dorsal_to_palmar"), rank_photos(part, "palmar_to_dorsal")
        exact = f"{read_processor_time() - begin_s:8.1f}"
        large = figures["protocols"]["photo"]["dorsal_to_palmar"]["recall_at_1"]
        assert large == float(np.mean(found[0].ranking.ranks == 1)), "the ranks are the same"
    rate = pairs / took_s / 1e6
    cells = (
        f"{num_photos:9,} {pairs / 1e9:7.2f}e9 {took_s:8.1f} {rate:10,.0f} {peaks[0]:8.2f} {peaks[1]:9.2f} {exact:>8}"
    )
    print(cells, flush=True)


if __name__ == "__main__":
    main()
