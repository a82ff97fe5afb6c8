"""What the indexes of a gallery on Milvus find and cost, compared with an exact search of the same vectors.

python benchmarks/vector_indexes.py --engine faiss --rows 100000
python benchmarks/vector_indexes.py --engine milvus --rows 100000                # starts milvus-lite in a process of its own
python benchmarks/vector_indexes.py --engine milvus --address http://HOST:19530 --indexes exact hnsw ivf ivf-sq8 diskann

Vectors are random, of unit length, and spread over --inner-dimensions of theirs, as those of a network are over a part: the
more, the less an index finds. A query is an enrolled vector with noise of the same length; the cosine of the two is 0.7 on
average. `recall@10` is the part of the ten exact neighbours that were found, `own` the part of queries for which the first one
is that of the exact search. The parameters of the indexes are those of handnet's INDEXES. faiss is the library on which
milvus-lite builds.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe_machine

from handnet.gallery.stores.milvus_indexes import INDEXES

Search = Callable[[np.ndarray], list[int]]
_NEIGHBOURS, _BLOCK = 10, 2000


def draw(rows: int, queries: int, width: int, inner: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors, queries, and which vector each query was made of."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((inner, width), dtype=np.float32)
    vectors = rng.standard_normal((rows, inner), dtype=np.float32) @ spread
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    own = rng.integers(0, rows, queries)
    noise = rng.standard_normal((queries, inner), dtype=np.float32) @ spread
    asked = vectors[own] + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return vectors, asked / np.linalg.norm(asked, axis=1, keepdims=True), own


def report(name: str, search: Search, asked: np.ndarray, exact: np.ndarray, built_s: float, memory: str) -> None:
    """Print one row of the table."""
    search(asked[0])
    found, times = [], []
    for query in asked:
        begin = time.perf_counter()
        found.append(search(query))
        times.append(time.perf_counter() - begin)
    recall = np.mean([len(set(a) & set(b)) / _NEIGHBOURS for a, b in zip(found, exact.tolist(), strict=True)])
    first = np.mean([bool(a) and a[0] == b[0] for a, b in zip(found, exact.tolist(), strict=True)])
    p50, p99 = 1e3 * np.percentile(times, [50, 99])
    print(
        f"| {name} | {built_s:.0f} | {100 * recall:.1f} | {100 * first:.1f} | {p50:.1f} | {p99:.1f} | {memory} |",
        flush=True,
    )


def run_faiss(vectors: np.ndarray, asked: np.ndarray, exact: np.ndarray, names: list[str]) -> None:
    """Measure faiss in this process, on one thread."""
    import faiss

    faiss.omp_set_num_threads(1)
    for name in names:
        begin = time.perf_counter()
        index = build_faiss(name, vectors)
        built_s = time.perf_counter() - begin
        search = partial(search_faiss, index)
        report(name, search, asked, exact, built_s, f"{len(faiss.serialize_index(index)) / 1e6:.0f} MB")


def build_faiss(name: str, vectors: np.ndarray) -> Any:
    """Return faiss's index of the vectors that INDEXES means by a name."""
    import faiss

    build, search = INDEXES[name].build, INDEXES[name].search
    (rows, width), metric = vectors.shape, faiss.METRIC_INNER_PRODUCT
    flat = faiss.IndexFlatIP(width)
    if name == "exact":
        index = flat
    elif name == "hnsw":
        index = faiss.IndexHNSWFlat(width, build["M"], metric)
        index.hnsw.efConstruction, index.hnsw.efSearch = build["efConstruction"], search["ef"]
    elif name == "ivf":
        index = faiss.IndexIVFFlat(flat, width, build["nlist"], metric)
    else:
        index = faiss.IndexIVFScalarQuantizer(flat, width, build["nlist"], faiss.ScalarQuantizer.QT_8bit, metric)
    if name.startswith("ivf"):
        # Forty vectors a list are enough for its centre.
        index.train(vectors[: min(rows, 40 * build["nlist"])])
        index.nprobe = search["nprobe"]
    index.add(vectors)
    return index


def search_faiss(index: Any, query: np.ndarray) -> list[int]:
    """Return the ten nearest vectors."""
    return index.search(query[None], _NEIGHBOURS)[1][0].tolist()


@contextmanager
def start_server(address: str) -> Iterator[tuple[str, int]]:
    """Give the address of a server, and the number of its process; 0 where it runs elsewhere."""
    if address:
        yield address, 0
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(sys.executable).with_name("milvus-lite"))
        command = [program, "server", "--data-dir", folder, "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}", server.pid
        finally:
            server.terminate()
            server.wait()


def run_milvus(vectors: np.ndarray, asked: np.ndarray, exact: np.ndarray, names: list[str], address: str) -> None:
    """Measure a server, one collection after the other; the client's and the connection's time counts too."""
    from pymilvus import DataType, MilvusClient

    with start_server(address) as (place, process):
        client = MilvusClient(place)
        for name in names:
            index, collection = INDEXES[name], f"handnet_bench_{name.replace('-', '_')}"
            if client.has_collection(collection):
                client.drop_collection(collection)
            schema = client.create_schema(auto_id=False)
            schema.add_field("id", DataType.INT64, is_primary=True)
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
            params = client.prepare_index_params()
            params.add_index("vector", index_type=index.type, metric_type="IP", params=dict(index.build))
            client.create_collection(collection, schema=schema, index_params=params, consistency_level="Strong")
            begin = time.perf_counter()
            for start in range(0, len(vectors), _BLOCK):
                block = vectors[start : start + _BLOCK].tolist()
                client.insert(collection, [{"id": start + k, "vector": row} for k, row in enumerate(block)])
            client.flush(collection)
            client.load_collection(collection)
            options = index.choose_search(_NEIGHBOURS)

            def search(query: np.ndarray, collection: str = collection, options: dict = options) -> list[int]:
                hits = client.search(collection, [query.tolist()], limit=_NEIGHBOURS, search_params=options)
                return [hit["id"] for hit in hits[0]]

            search(asked[0])
            built_s = time.perf_counter() - begin
            report(name, search, asked, exact, built_s, read_memory(process))
            client.drop_collection(collection)


def read_memory(process: int) -> str:
    """Return the memory of a process of this machine, in which earlier collections may still lie."""
    file = Path(f"/proc/{process}/status")
    if not process or not file.exists():
        return "not seen"
    (line,) = [line for line in file.read_text().splitlines() if line.startswith("VmRSS")]
    return f"{int(line.split()[1]) / 1e3:.0f} MB in all"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("faiss", "milvus"), default="faiss")
    parser.add_argument("--address", default="", help="of a Milvus server; without it milvus-lite is started here")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--inner-dimensions", type=int, default=32)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--indexes", nargs="+", choices=tuple(INDEXES), default=["exact", "ivf", "ivf-sq8", "hnsw"])
    given = parser.parse_args()
    print(describe_machine(("numpy", "faiss-cpu", "pymilvus", "milvus-lite")), f"process {os.getpid()}")
    vectors, asked, own = draw(given.rows, given.queries, given.dimensions, given.inner_dimensions, given.seed)
    exact = np.concatenate([np.argsort(-(some @ vectors.T), axis=1)[:, :_NEIGHBOURS] for some in np.split(asked, 10)])
    print(f"{given.engine}, {given.rows:,} × {given.dimensions}, spread over {given.inner_dimensions}")
    print(f"exact search has the query's own vector first in {100 * np.mean(exact[:, 0] == own):.0f} %\n")
    print("| index | build s | recall@10 % | own % | p50 ms | p99 ms | size |\n|---|---|---|---|---|---|---|")
    if given.engine == "faiss":
        run_faiss(vectors, asked, exact, given.indexes)
    else:
        run_milvus(vectors, asked, exact, given.indexes, given.address)


if __name__ == "__main__":
    main()
