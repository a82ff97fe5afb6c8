"""Time and memory of photo-level retrieval, ours compared with the whole similarity matrix at once.

python benchmarks/retrieval.py [--queries 10000] [--dimensions 256] [--people 1000]

Each row is a process of its own, so that its peak memory is its own. The other way is what evaluation scripts commonly do:
one matrix product, one argsort a row.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

MAX_QUERIES_OF_SCIKIT_LEARN = 4_000


def draw_photos(num_queries: int, num_people: int, dimensions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return embeddings, people and views of as many dorsal as palmar photos."""
    generator = np.random.default_rng(0)
    people = np.tile(np.arange(num_queries) % num_people, 2)
    views = np.repeat(["dorsal", "palmar"], num_queries)
    centres = generator.normal(size=(num_people, dimensions)).astype(np.float32)
    vectors = centres[people] + 3 * generator.normal(size=(len(people), dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), people, views


def evaluate_here(vectors: np.ndarray, people: np.ndarray, views: np.ndarray) -> float:
    """Return the mean rank by handnet: four rankings, photos and people, both ways."""
    from handnet.metrics.embedded import make_part
    from handnet.metrics.protocols import rank_photos, rank_templates
    from handnet.metrics.ranking import DIRECTIONS
    from handnet.metrics.ranking_summary import summarize_ranking

    part = make_part(vectors, people, views)
    outcomes = [rank(part, direction) for rank in (rank_photos, rank_templates) for direction in DIRECTIONS]
    figures = [summarize_ranking(outcome.ranking) for outcome in outcomes]
    return float(figures[0]["mean_rank"])


def rank_here(vectors: np.ndarray, people: np.ndarray, views: np.ndarray) -> float:
    """Return the mean rank by handnet: photos, one way, ranks and average precision."""
    from handnet.metrics.ranking import rank_queries

    dorsal, palmar = views == "dorsal", views == "palmar"
    return float(rank_queries(vectors[dorsal], vectors[palmar], people[dorsal], people[palmar]).ranks.mean())


def rank_by_argsort(vectors: np.ndarray, people: np.ndarray, views: np.ndarray) -> float:
    """Return the mean rank by the whole matrix and an argsort."""
    dorsal, palmar = views == "dorsal", views == "palmar"
    order = np.argsort(-(vectors[dorsal] @ vectors[palmar].T), axis=1)
    return float(np.mean(np.argmax(people[palmar][order] == people[dorsal][:, None], axis=1) + 1))


def score_pairs_here(vectors: np.ndarray, people: np.ndarray, views: np.ndarray) -> float:
    """Return the AUC of all pairs by handnet, exact."""
    from handnet.metrics.embedded import make_part
    from handnet.metrics.pairs.all_pairs import score_pairs
    from handnet.metrics.pairs.verification import build_curve, compute_auc

    return compute_auc(build_curve(score_pairs(make_part(vectors, people, views))))


def auc_by_scikit_learn(vectors: np.ndarray, people: np.ndarray, views: np.ndarray) -> float:
    """Return the AUC of all pairs by scikit-learn."""
    from sklearn.metrics import roc_auc_score

    dorsal, palmar = views == "dorsal", views == "palmar"
    same = people[dorsal][:, None] == people[palmar]
    return float(roc_auc_score(same.ravel(), (vectors[dorsal] @ vectors[palmar].T).ravel()))


WAYS = {
    "handnet, all four rankings": evaluate_here,
    "handnet, one ranking": rank_here,
    "whole matrix and argsort": rank_by_argsort,
    "handnet, AUC of all pairs": score_pairs_here,
    "scikit-learn, AUC of all pairs": auc_by_scikit_learn,
}


def main() -> None:
    """Run every way in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--way", choices=WAYS, help="run one way in this process")
    arguments = parser.parse_args()
    sizes = (arguments.queries, arguments.people, arguments.dimensions)
    if arguments.way:
        photos = draw_photos(*sizes)
        start = time.perf_counter()
        result = WAYS[arguments.way](*photos)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{arguments.way:32}{time.perf_counter() - start:10.1f} s{peak_mib:10.0f} MiB{result:14.6f}")
        return
    print(f"{sizes[0]:,} queries × {sizes[0]:,} gallery × {sizes[2]} dimensions, {sizes[1]:,} people")
    print(f"{'':32}{'time':>12}{'peak memory':>14}{'result':>14}")
    names = ("--queries", "--people", "--dimensions")
    options = [item for name, value in zip(names, sizes, strict=True) for item in (name, str(value))]
    for way in WAYS:
        if way.startswith("scikit-learn") and arguments.queries > MAX_QUERIES_OF_SCIKIT_LEARN:
            print(f"{way:32}not run on more than {MAX_QUERIES_OF_SCIKIT_LEARN:,} queries: it sorts all pairs at once")
            continue
        subprocess.run([sys.executable, __file__, *options, "--way", way], check=True)


if __name__ == "__main__":
    main()
