"""A gallery at 1 thousand, 100 thousand and 1 million people: opening it, and searching it compared with plain faiss.

python benchmarks/gallery.py [--sizes 1000 100000 1000000] [--store-up-to 100000] [--dimensions 256] [--queries 20]

Each person has one template. Every search is exact and returns ten people with their log ratios; plain faiss returns ten
cosines. Both are asked for one photo at a time, as a user asks.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import describe_machine

from handnet.gallery.index import TemplateIndex
from handnet.gallery.pairings import Matching, Pairing, PairingFit
from handnet.gallery.protection import Codec, Key
from handnet.gallery.records import HandKind, Header, Person, Photo
from handnet.gallery.stores.sqlite import SqliteStore
from handnet.gallery.templates import Template

KIND, PROBE = HandKind("palmar", "left"), HandKind("dorsal", "left")
FIT = PairingFit(20.0, -10.0, 0.1, 0.5, 100, np.zeros((1, 2), np.float32), np.zeros(1, np.int64))
MATCHING = Matching({Pairing("dorsal-palmar", "same", "one"): FIT}, {}, "")


def draw_vectors(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Return random unit vectors."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def measure(search: Callable[[np.ndarray], object], queries: np.ndarray) -> str:
    """Return the median and the longest time of one query, in milliseconds, after one that is not counted."""
    search(queries[:1])
    times = []
    for query in queries:
        begin = time.perf_counter()
        search(query[None])
        times.append(1000 * (time.perf_counter() - begin))
    return f"{np.median(times):9.2f} {max(times):9.2f}"


def search_in_memory(vectors: np.ndarray, queries: np.ndarray) -> None:
    """Print the times of both ways of searching."""
    import faiss

    count, dimensions = vectors.shape
    people = [Person(str(number), str(number), "") for number in range(count)]
    index = TemplateIndex(MATCHING, dimensions)
    begin = time.perf_counter()
    index.fill(people, [Template(str(number), KIND, 1, vector) for number, vector in enumerate(vectors)])
    print(f"{count:9,}  build the index          {time.perf_counter() - begin:9.2f} s")
    plain = faiss.IndexFlatIP(dimensions)
    plain.add(vectors)
    expected = plain.search(queries, 10)[1]
    hits = index.search(PROBE, queries, 10)
    found = np.array([[int(person.id) for person in hit.people] for hit in hits])
    print(
        f"{count:9,}  {'handnet':24s} {measure(lambda query: index.search(PROBE, query, 10), queries)} ms median, longest; "
        f"{np.mean(found == expected):.2%} of the people as faiss"
    )
    print(
        f"{count:9,}  {'plain faiss':24s} {measure(lambda query: plain.search(query, 10), queries)} ms median, longest"
    )


def open_store(vectors: np.ndarray, key: Key | None) -> None:
    """Print how long it takes to write, to open with every row checked, to read into memory, and to add one person."""
    count, dimensions = vectors.shape
    header = Header("c" * 32, "b", "m" * 32, dimensions, {}, False, "off", Codec.describe_new(dimensions, key), {}, "")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "g"
        store = SqliteStore.create(place, header, key)

        def enrol(numbers: range) -> None:
            with store.write() as changes:
                changes.put_people = [Person(f"{number:032x}", f"Person {number}", "") for number in numbers]
                changes.put_photos = [
                    Photo(f"{n:032x}", f"{n:032x}", f"{n:032x}", KIND, 1.0, "", "", vectors[n % count]) for n in numbers
                ]

        times = {}
        begin = time.perf_counter()
        enrol(range(count))
        times["write"] = time.perf_counter() - begin
        store.close()
        begin = time.perf_counter()
        store = SqliteStore(place, key)
        times["open and check"] = time.perf_counter() - begin
        begin = time.perf_counter()
        index = TemplateIndex(MATCHING, dimensions)
        index.refresh(store)
        times["read into memory"] = time.perf_counter() - begin
        begin = time.perf_counter()
        enrol(range(count, count + 1))
        index.refresh(store)
        index.search(PROBE, vectors[:1], 10)
        times["add one, then search"] = time.perf_counter() - begin
        size = sum(file.stat().st_size for file in place.iterdir()) / 1e6
        store.close()
    shown = "; ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items())
    print(f"{count:9,}  {'protected' if key else 'not protected':24s} {shown}; {size:.0f} MB")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--store-up-to", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--queries", type=int, default=20)
    arguments = parser.parse_args()
    print(describe_machine(("numpy", "faiss-cpu", "cryptography")))
    queries = draw_vectors(arguments.queries, arguments.dimensions, 1)
    for size in arguments.sizes:
        vectors = draw_vectors(size, arguments.dimensions, 0)
        search_in_memory(vectors, queries)
        if size <= arguments.store_up_to:
            open_store(vectors, None)
            open_store(vectors, Key(bytes(32)))


if __name__ == "__main__":
    main()
