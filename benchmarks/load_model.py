"""How many cores and how much memory identifications take, and what a million of them cost, by simulating the queues.

python benchmarks/load_model.py [--photo-s 0.1] [--price-core-hour 0.04 --price-gb-hour 0.005] [--plot docs/images/load_model.png]

An identification is decoded and embedded on one core of a `handnet serve` replica, then searched on a Milvus cluster. Requests
come at random (a Poisson process) into one queue before all cores, first come, first served; service times are log-normal with
the given mean. The fewest cores are taken with which 99 % of the requests wait, embed and search within --limit-s, and which
are busy no more than --most-load of their time.
Memory of the vectors is that of an HNSW index of float32: 4 bytes a number, 8 bytes × M links, and a fifth for the rest.
Defaults: --photo-s is the `small` network on photos of 1600×1200 (docs/measurements/serving.md), --api-s the API's own
processor time there. --search-s is the processor time of one search of a million vectors, which grows with the logarithm of
their number; the query nodes hold --gb-per-node each. Prices are nobody's: give your own.
"""

import argparse
import heapq
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

_WARM_UP = 0.1


class Fleet(NamedTuple):
    """What a load takes.

    Attributes:
        cores: of the replicas that embed.
        p50_s: median time of an answer.
        p99_s: the time within which 99 % are answered.
        vectors_gb: memory of the vectors.
        nodes: query nodes that hold them.
        search_cores: of these nodes, at three fifths of their time.
        price: of a million identifications.
    """

    cores: int
    p50_s: float
    p99_s: float
    vectors_gb: float
    nodes: int
    search_cores: int
    price: float


def simulate(rate: float, cores: int, mean_s: float, spread: float, requests: int, seed: int) -> np.ndarray:
    """Return the seconds from the arrival of each request to the end of its service, the first tenth left out.

    Args:
        rate: requests a second.
        cores: of which each serves one request at a time.
        mean_s: seconds of service.
        spread: standard deviation of the service, in parts of its mean.
        requests: how many are simulated.
        seed: of arrivals and services.
    """
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1.0 / rate, requests))
    sigma = math.sqrt(math.log1p(spread**2))
    services = rng.lognormal(math.log(mean_s) - sigma**2 / 2, sigma, requests)
    free = [0.0] * cores
    done = np.empty(requests)
    for k, (arrival, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        done[k] = max(arrival, free[0]) + service
        heapq.heapreplace(free, done[k])
    return (done - arrivals)[int(_WARM_UP * requests) :]


def find_cores(rate: float, mean_s: float, limit_s: float, given: argparse.Namespace) -> tuple[int, np.ndarray]:
    """Return the fewest cores with which 99 % end within `limit_s`, and the simulated seconds."""
    # Near their full load a queue grows for hours, which a short simulation does not show.
    least = math.ceil(rate * mean_s / given.most_load)
    step = 1
    cores = least
    # With a core for each nobody waits: what is too slow then stays too slow.
    if np.percentile(simulate(rate, given.requests, mean_s, given.spread, given.requests, given.seed), 99) > limit_s:
        raise SystemExit(f"No number of cores answers 99 % within {limit_s:.3g} s: the service alone takes longer.")
    while True:
        times = simulate(rate, cores, mean_s, given.spread, given.requests, given.seed)
        if np.percentile(times, 99) <= limit_s:
            return cores, times
        cores += step
        # A queue that needs many more cores than its load is searched in larger steps.
        step = max(1, (cores - least) // 10)


def plan(rate: float, vectors: int, given: argparse.Namespace) -> Fleet:
    """Return what `rate` identifications a second among `vectors` take."""
    gigabytes = vectors * (4 * given.dimensions + 8 * given.links) * 1.2 / 1e9
    nodes = max(1, math.ceil(gigabytes / given.gb_per_node))
    # Each node searches its share of every request.
    search_s = given.search_s * max(1.0, math.log2(vectors / nodes) / math.log2(1e6))
    search_cores = max(nodes, math.ceil(rate * search_s * nodes / 0.6))
    # At that load a search waits little; twice its time is set aside.
    cores, times = find_cores(rate, given.photo_s + given.api_s, given.limit_s - 2 * search_s, given)
    memory = gigabytes + given.worker_gb * math.ceil(cores / given.cores_per_worker)
    an_hour = (cores + search_cores) * given.price_core_hour + memory * given.price_gb_hour
    p50, p99 = np.percentile(times, [50, 99]) + 2 * search_s
    return Fleet(cores, p50, p99, gigabytes, nodes, search_cores, an_hour / (rate * 3600) * 1e6)


def draw(file: Path, given: argparse.Namespace) -> None:
    """Draw the 99th percentile against the load of the cores."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mean_s = given.photo_s + given.api_s
    figure, axes = plt.subplots(figsize=(6, 3.6))
    for cores in (1, 4, 16, 64):
        loads = np.linspace(0.3, 0.97, 16)
        p99 = [
            np.percentile(simulate(load * cores / mean_s, cores, mean_s, given.spread, given.requests, given.seed), 99)
            for load in loads
        ]
        axes.plot(100 * loads, p99, marker=".", label=f"{cores} core{'s' * (cores > 1)}")
    axes.axhline(given.limit_s, color="grey", linestyle=":")
    axes.set(xlabel="load of the cores, %", ylabel="99 % answered within, s", ylim=(0, 4 * given.limit_s))
    axes.legend(title="one queue before")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Print the table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--photo-s", type=float, default=0.1, help="processor seconds to decode and embed a photo")
    add("--api-s", type=float, default=0.0026, help="processor seconds of the API for a request")
    add("--search-s", type=float, default=0.005, help="processor seconds of one search of a million vectors")
    add("--spread", type=float, default=0.5, help="standard deviation of a service, in parts of its mean")
    add("--most-load", type=float, default=0.8, help="of the cores that embed, whatever the queue says")
    add("--limit-s", type=float, default=0.5, help="within which 99 %% are to be answered")
    add("--dimensions", type=int, default=128)
    add("--links", type=int, default=32, help="M of the HNSW index")
    add("--gb-per-node", type=float, default=48.0)
    add("--worker-gb", type=float, default=2.0, help="memory of a replica")
    add("--cores-per-worker", type=int, default=4)
    add("--price-core-hour", type=float, default=0.04)
    add("--price-gb-hour", type=float, default=0.005)
    add("--rates", type=float, nargs="+", default=[1, 10, 100, 1000])
    add("--vectors", type=float, nargs="+", default=[1e6, 1e7, 1e8])
    add("--requests", type=int, default=20_000)
    add("--seed", type=int, default=0)
    add("--plot", type=Path)
    given = parser.parse_args()
    for name in ("photo_s", "most_load", "rates", "vectors", "requests"):
        if np.min(getattr(given, name)) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be above 0")
    columns = ("requests/s", "vectors", "cores that embed", "their load %", "p50 s", "p99 s", "vectors GB", "query nodes",
               "their cores", "a million cost")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for rate in given.rates:
        for vectors in given.vectors:
            fleet = plan(rate, int(vectors), given)
            load = 100 * rate * (given.photo_s + given.api_s) / fleet.cores
            print(
                f"| {rate:,.0f} | {vectors:,.0f} | {fleet.cores} | {load:.0f} | {fleet.p50_s:.2f} | {fleet.p99_s:.2f} | "
                f"{fleet.vectors_gb:,.1f} | {fleet.nodes} | {fleet.search_cores} | {fleet.price:,.2f} |",
                flush=True,
            )
    if given.plot:
        draw(given.plot, given)


if __name__ == "__main__":
    main()
