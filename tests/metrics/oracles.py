"""Slow retrieval in plain Python loops, written from the definitions and sharing no code with the package."""

from fractions import Fraction
from itertools import combinations

import numpy as np

TIE = 1e-6


def cosine(a, b):
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def mean_direction(vectors):
    total = [sum(float(v[j]) for v in vectors) for j in range(len(vectors[0]))]
    length = sum(x * x for x in total) ** 0.5
    return [x / length for x in total]


def rank_one(query, identity, gallery, gallery_identities):
    """First correct rank and average precision; a wrong entry within TIE of a correct one stands before it."""
    scored = [(cosine(query, g), i == identity) for g, i in zip(gallery, gallery_identities, strict=True)]
    right = sorted((s for s, correct in scored if correct), reverse=True)
    wrong = [s for s, correct in scored if not correct]
    positions = [n + sum(1 for s in wrong if s >= r - TIE) for n, r in enumerate(right, 1)]
    return positions[0], sum(n / p for n, p in enumerate(positions, 1)) / len(positions)


def retrieve(embeddings, identities, views, level, direction):
    """The figures of person templates or photos in one direction, without chance."""
    source, _, target = direction.split("_")
    people = sorted({i for i, v in zip(identities, views, strict=True) if v == "dorsal"})
    people = [p for p in people if any(i == p and v == "palmar" for i, v in zip(identities, views, strict=True))]
    rows = list(zip(embeddings, identities, views, strict=True))
    if level == "person":
        queries = [(mean_direction([e for e, i, v in rows if i == p and v == source]), p) for p in people]
        gallery = [(mean_direction([e for e, i, v in rows if i == p and v == target]), p) for p in people]
    else:
        queries = [(e, i) for e, i, v in rows if v == source and i in people]
        gallery = [(e, i) for e, i, v in rows if v == target]
    results = [rank_one(q, i, [g for g, _ in gallery], [j for _, j in gallery]) for q, i in queries]
    ranks = [r for r, _ in results]
    return {
        "num_queries": len(queries),
        "num_gallery": len(gallery),
        "mean_rank": sum(ranks) / len(ranks),
        "median_rank": float(np.median(ranks)),
        **{f"recall_at_{k}": sum(r <= k for r in ranks) / len(ranks) for k in (1, 5, 10)},
        "mean_average_precision": sum(ap for _, ap in results) / len(results),
    }


def enumerate_chance(num_gallery, num_relevant):
    """Every placement of the correct entries, each as likely: exact fractions."""
    placements = list(combinations(range(1, num_gallery + 1), num_relevant))
    firsts = [p[0] for p in placements]
    precision = [sum(Fraction(n, k) for n, k in enumerate(p, 1)) / num_relevant for p in placements]
    return {
        "mean_rank": Fraction(sum(firsts), len(firsts)),
        "cmc": [Fraction(sum(f <= k for f in firsts), len(firsts)) for k in range(1, num_gallery + 1)],
        "median_rank": float(np.median(firsts)),
        "mean_average_precision": sum(precision) / len(precision),
    }


def draw_part(generator, num_people=9, dimensions=6, noise=1.0):
    """Unit embeddings of people with 1 to 4 photos a view; the last person has dorsal photos only."""
    rows = []
    for person in range(num_people):
        centre = generator.normal(size=dimensions)
        for view in ("dorsal", "palmar"):
            if person == num_people - 1 and view == "palmar":
                continue
            for _ in range(generator.integers(1, 5)):
                vector = centre + noise * generator.normal(size=dimensions)
                rows.append((vector / np.linalg.norm(vector), f"p{person:02d}", view))
    order = generator.permutation(len(rows))
    embeddings = np.array([rows[i][0] for i in order], np.float32)
    return embeddings, np.array([rows[i][1] for i in order]), np.array([rows[i][2] for i in order])
