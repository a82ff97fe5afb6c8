"""Retrieval against hand-derived fractions and a slow oracle, ties and absent matches included."""

import subprocess
import sys

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.ranking import (
    average_by_identity,
    compute_person_ranks,
    rank_queries,
)
from tests.metrics.oracles import draw_part, retrieve
from tests.metrics.published import compute_retrieval


def on_circle(*degrees):
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("direction", ["dorsal_to_palmar", "palmar_to_dorsal"])
@pytest.mark.parametrize("level", ["person", "photo"])
def test_figures_equal_the_slow_oracle(level, direction, seed):
    part = draw_part(np.random.default_rng(seed))
    figures = dict(compute_retrieval(*part)[level][direction])
    figures.pop("chance")
    assert figures == pytest.approx(retrieve(*part, level, direction), abs=1e-6)


def test_ranks_and_precisions_by_hand():
    # Query at 0°. Gallery by closeness: 10° wrong, 20° right, 30° wrong, 40° right.
    ranking = rank_queries(on_circle(0), on_circle(40, 10, 20, 30), ["a"], ["a", "b", "a", "c"])
    assert ranking.ranks.tolist() == [2]
    assert ranking.average_precisions.tolist() == [(1 / 2 + 2 / 4) / 2]
    assert ranking.num_relevant.tolist() == [2]


def test_ties_count_against_the_query():
    # 20° right and -20° wrong tie for the first place: the wrong one is taken to be first.
    ranking = rank_queries(on_circle(0), on_circle(20, -20, 50), ["a"], ["a", "b", "c"])
    assert ranking.ranks.tolist() == [2]
    assert ranking.average_precisions.tolist() == [1 / 2]


def test_a_collapsed_model_gets_the_worst_rank_of_all():
    embeddings = np.tile(np.random.default_rng(0).normal(size=(1, 37)).astype(np.float32), (40, 1))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    identities = np.repeat(np.arange(10), 4)
    views = np.tile(["dorsal", "dorsal", "palmar", "palmar"], 10)
    figures = compute_retrieval(embeddings, identities, views)
    assert figures["person"]["dorsal_to_palmar"]["mean_rank"] == 10
    assert figures["photo"]["palmar_to_dorsal"]["mean_rank"] == 19  # 18 wrong ones first
    assert compute_person_ranks(embeddings, identities, views).tolist() == [10] * 10


def test_blocks_do_not_change_the_result(monkeypatch):
    embeddings, identities, views = draw_part(np.random.default_rng(5), num_people=30)
    whole = compute_retrieval(embeddings, identities, views)
    ranks = compute_person_ranks(embeddings, identities, views)
    monkeypatch.setattr("handnet.metrics.ranking._BLOCK_CELLS", 100)
    assert compute_retrieval(embeddings, identities, views) == whole
    assert compute_person_ranks(embeddings, identities, views).tolist() == ranks.tolist()


@pytest.mark.parametrize("direction", ["dorsal_to_palmar", "palmar_to_dorsal"])
def test_fast_person_ranks_give_the_figures_of_the_full_evaluation(direction):
    part = draw_part(np.random.default_rng(8), num_people=25)
    ranks = compute_person_ranks(*part, direction=direction)
    figures = compute_retrieval(*part)["person"][direction]
    assert (ranks.mean(), np.median(ranks)) == (figures["mean_rank"], figures["median_rank"])
    assert np.mean(ranks <= 5) == figures["recall_at_5"]


def test_one_view_people_are_distractors_of_photos_and_no_queries():
    embeddings = on_circle(0, 10, 90, 100, 5)
    identities = ["a", "a", "b", "b", "c"]
    figures = compute_retrieval(embeddings, identities, ["dorsal", "palmar", "dorsal", "palmar", "palmar"])
    assert figures["person"]["dorsal_to_palmar"]["num_gallery"] == 2
    assert figures["person"]["dorsal_to_palmar"]["recall_at_1"] == 1
    assert figures["photo"]["dorsal_to_palmar"]["num_gallery"] == 3
    assert figures["photo"]["dorsal_to_palmar"]["num_queries"] == 2
    assert figures["photo"]["dorsal_to_palmar"]["recall_at_1"] == 1 / 2  # c's palm at 5° is nearer to a than a's


def test_template_is_the_normalised_mean_of_unit_vectors():
    template, names = average_by_identity(on_circle(0, 60, 200), np.array(["a", "a", "b"]))
    assert names.tolist() == ["a", "b"]
    np.testing.assert_allclose(template, on_circle(30, 200), atol=1e-6)


def test_queries_without_gallery_are_named():
    with pytest.raises(EvaluationError, match=r"Every query identity must appear in the gallery\. Received: 1 .*\(z\)"):
        rank_queries(on_circle(0, 5), on_circle(1, 2), ["a", "z"], ["a", "b"])
    with pytest.raises(EvaluationError, match=r"No query identity appears in the gallery.*another data set"):
        rank_queries(on_circle(0), on_circle(1, 2), ["x"], ["a", "b"])
    with pytest.raises(EvaluationError, match="vectors of the same model"):
        rank_queries(np.eye(3), np.eye(2), ["a"] * 3, ["a"] * 2)


def test_opposite_photos_have_no_average():
    with pytest.raises(EvaluationError, match="must have a direction"):
        average_by_identity(on_circle(0, 180), np.array(["a", "a"]))


def test_importing_retrieval_imports_no_tensorflow():
    code = "import sys, handnet.metrics.ranking; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
