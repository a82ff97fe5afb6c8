"""What a random ranking is expected to score."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.chance import compute_chance
from tests.metrics.oracles import enumerate_chance
from tests.metrics.published import compute_retrieval


@pytest.mark.parametrize(
    ("num_gallery", "num_relevant"), [(1, 1), (2, 1), (7, 1), (8, 1), (7, 3), (9, 4), (5, 5), (6, 2)]
)
def test_chance_equals_enumeration(num_gallery, num_relevant):
    expected = enumerate_chance(num_gallery, num_relevant)
    chance = compute_chance(num_gallery, [num_relevant, num_relevant])
    assert chance.mean_rank == pytest.approx(float(expected["mean_rank"]), abs=1e-12)
    assert chance.median_rank == expected["median_rank"]
    assert chance.cmc.tolist() == pytest.approx([float(f) for f in expected["cmc"]], abs=1e-12)
    assert chance.mean_average_precision == pytest.approx(float(expected["mean_average_precision"]), abs=1e-12)


def test_chance_averages_over_queries():
    one, two = enumerate_chance(9, 1), enumerate_chance(9, 4)
    chance = compute_chance(9, [1, 4, 4])
    assert chance.mean_rank == pytest.approx(float((one["mean_rank"] + 2 * two["mean_rank"]) / 3))
    assert chance.recall_at(5) == pytest.approx(float((one["cmc"][4] + 2 * two["cmc"][4]) / 3))
    expected = float((one["mean_average_precision"] + 2 * two["mean_average_precision"]) / 3)
    assert chance.mean_average_precision == pytest.approx(expected)


def test_chance_of_the_published_gallery():
    # 41 people against 41: R@1 1/41 = 2.4 %, mean rank 21, not "0.5 %, 100".
    chance = compute_chance(41, np.ones(41))
    assert (chance.mean_rank, chance.median_rank) == (21, 21)
    assert chance.recall_at(1) == pytest.approx(1 / 41)
    assert chance.recall_at(10) == pytest.approx(10 / 41)
    assert compute_chance(3, [1]).recall_at(10) == pytest.approx(1)


def test_random_vectors_score_as_chance_says():
    generator = np.random.default_rng(2)
    identities = np.repeat(np.arange(40), 6)
    views = np.tile(["dorsal"] * 3 + ["palmar"] * 3, 40)
    runs = []
    for _ in range(40):
        embeddings = generator.normal(size=(240, 16))
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        runs.append(compute_retrieval(embeddings, identities, views)["photo"]["dorsal_to_palmar"])
    chance = runs[0]["chance"]
    for name in ("mean_rank", "median_rank", "recall_at_10", "mean_average_precision"):
        values = [run[name] for run in runs]
        assert abs(np.mean(values) - chance[name]) < 4 * np.std(values) / np.sqrt(len(values)), name


def test_chance_averages_over_galleries_of_different_sizes():
    one, two = enumerate_chance(5, 1), enumerate_chance(8, 3)
    chance = compute_chance([5, 8], [1, 3])
    assert chance.mean_rank == pytest.approx(float((one["mean_rank"] + two["mean_rank"]) / 2))
    assert chance.recall_at(2) == pytest.approx(float((one["cmc"][1] + two["cmc"][1]) / 2))
    assert chance.recall_at(6) == pytest.approx(1)
    with pytest.raises(EvaluationError, match="at least one correct gallery entry"):
        compute_chance(5, [0, 1])
