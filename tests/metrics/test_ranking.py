"""Retrieval against hand-derived fractions and a slow oracle, ties and absent matches included."""

import subprocess
import sys

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.chance import compute_chance
from handnet.metrics.embedded import make_part
from handnet.metrics.protocols import rank_photos, rank_templates
from handnet.metrics.ranking import (
    average_by_identity,
    compute_person_ranks,
    rank_queries,
)
from handnet.metrics.summary import summarize_ranking
from tests.metrics.oracles import draw_part, enumerate_chance, retrieve


def compute_retrieval(embeddings, identities, views):
    """The figures of the published protocol and of photos, both ways."""
    part = make_part(embeddings, identities, views)
    return {
        level: {
            direction: summarize_ranking(rank(part, direction).ranking)
            for direction in ("dorsal_to_palmar", "palmar_to_dorsal")
        }
        for level, rank in (("person", rank_templates), ("photo", rank_photos))
    }


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


def bad(what):
    embeddings, identities, views = draw_part(np.random.default_rng(0))
    embeddings, identities, views = embeddings.copy(), identities.copy(), views.astype(object)
    match what:
        case "nan":
            embeddings[3, 2] = np.nan
        case "unnormalised":
            embeddings *= 7
        case "flat":
            embeddings = embeddings[:, 0]
        case "empty":
            embeddings = embeddings[:0]
        case "integers":
            embeddings = np.ones(embeddings.shape, int)
        case "labels":
            identities = identities[:-1]
        case "view":
            views[0] = "back"
        case "one person":
            identities[:] = "p"
        case "one view":
            views[:] = "dorsal"
    return embeddings, identities, views


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan", r"must be finite\. Received: NaN or infinity in 1 of \d+ rows \(rows 3\)"),
        ("unnormalised", r"must have unit norm\. Received: norms from 7 to 7.*--normalize"),
        ("flat", r"must have the shape \(photos, dimensions\)\. Received: shape \(\d+,\)"),
        ("empty", "at least one row"),
        ("integers", "must be floating-point numbers. Received: dtype int64"),
        ("labels", r"`identities` must have one entry per embedding, \d+\. Received: \d+ entries\..*another data set"),
        ("view", "must be one of: dorsal, palmar. Received: 'back'"),
        ("one person", "at least two people with both dorsal and palmar photos. Received: 1 such, of 1 person"),
        ("one view", "at least two people with both dorsal and palmar photos. Received: 0 such, of 9 people"),
    ],
)
def test_bad_input_is_named(what, message):
    with pytest.raises(EvaluationError, match=message):
        compute_retrieval(*bad(what))
    with pytest.raises(EvaluationError, match=message):
        compute_person_ranks(*bad(what))


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


def test_low_precision_embeddings_are_taken_as_they_are():
    part = draw_part(np.random.default_rng(1))
    half = compute_retrieval(part[0].astype(np.float16), *part[1:])
    assert half["person"]["dorsal_to_palmar"]["num_queries"] == 8


def test_importing_retrieval_imports_no_tensorflow():
    code = "import sys, handnet.metrics.ranking; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_chance_averages_over_galleries_of_different_sizes():
    one, two = enumerate_chance(5, 1), enumerate_chance(8, 3)
    chance = compute_chance([5, 8], [1, 3])
    assert chance.mean_rank == pytest.approx(float((one["mean_rank"] + two["mean_rank"]) / 2))
    assert chance.recall_at(2) == pytest.approx(float((one["cmc"][1] + two["cmc"][1]) / 2))
    assert chance.recall_at(6) == pytest.approx(1)
    with pytest.raises(EvaluationError, match="at least one correct gallery entry"):
        compute_chance(5, [0, 1])
