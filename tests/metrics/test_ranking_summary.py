"""Summaries of outcomes: figures, intervals, chance and curves agree."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.chance import compute_chance
from handnet.metrics.embedded import make_part
from handnet.metrics.protocols import join_outcomes, rank_photos
from handnet.metrics.ranking_summary import merge_folds, summarize_outcome
from tests.metrics.oracles import draw_part
from tests.metrics.test_protocols import draw_hands


def test_summary_states_figures_intervals_and_chance():
    part = make_part(*draw_part(np.random.default_rng(3), num_people=12))
    outcome = rank_photos(part, "dorsal_to_palmar")
    figures = summarize_outcome(outcome, num_replicates=500)
    assert figures["num_people"] == 11
    for name, (low, high) in figures["interval"].items():
        assert low <= figures[name] <= high, name
    assert figures["cmc"][0] == figures["recall_at_1"]
    assert figures["cmc"][9] == figures["recall_at_10"]
    assert len(figures["cmc"]) == len(figures["cmc_interval"]) == min(50, figures["num_gallery"])
    assert figures["cmc_interval"][0] == figures["interval"]["recall_at_1"]
    expected = compute_chance(figures["num_gallery"], outcome.ranking.num_relevant)
    assert figures["chance"]["cmc"][4] == pytest.approx(expected.recall_at(5))


def test_joined_outcomes_are_pooled_queries():
    part = make_part(*draw_part(np.random.default_rng(3), num_people=12))
    first, second = rank_photos(part, "dorsal_to_palmar"), rank_photos(part, "palmar_to_dorsal")
    joined = join_outcomes([first, second])
    figures = summarize_outcome(joined, num_replicates=50)
    assert figures["num_queries"] == len(first.people) + len(second.people)
    assert figures["mean_rank"] == np.concatenate([first.ranking.ranks, second.ranking.ranks]).mean()
    assert figures["num_gallery"] == joined.ranking.num_gallery.mean()


def test_folds_are_pooled_query_by_query_in_their_own_galleries():
    whole = draw_hands(num_people=10)
    folds = [whole.select(np.isin(whole.identities, [f"p{i:02d}" for i in range(k, 10, 3)])) for k in range(3)]
    merged = merge_folds(folds, num_replicates=100)
    assert (merged["num_folds"], merged["num_people"]) == (3, 10)
    photo = merged["protocols"]["photo"]["dorsal_to_palmar"]
    ranks = [rank_photos(fold, "dorsal_to_palmar").ranking.ranks for fold in folds]
    assert photo["mean_rank"] == np.concatenate(ranks).mean()
    assert [fold["mean_rank"] for fold in photo["folds"]] == [r.mean() for r in ranks]
    # Galleries of 4, 3 and 3 people: chance at rank 1 of the templates is 3/10 · ... each query 1/4 or 1/3.
    template = merged["protocols"]["person_template"]["dorsal_to_palmar"]
    assert template["chance"]["recall_at_1"] == pytest.approx((4 / 4 + 3 / 3 + 3 / 3) / 10)
    assert template["num_gallery"] == pytest.approx((4 * 4 + 3 * 3 + 3 * 3) / 10)
    assert template["num_people"] == 10


def test_a_person_in_two_folds_is_refused():
    part = draw_hands(num_people=4)
    with pytest.raises(
        EvaluationError, match=r"Every person must be tested once. Received: 4 people in more than one fold"
    ):
        merge_folds([part, part])
    with pytest.raises(EvaluationError, match="at least two folds"):
        merge_folds([part])
    sideless = [
        make_part(p.embeddings, p.identities, p.views)
        for p in (part.select(part.identities < "p02"), part.select(part.identities >= "p02"))
    ]
    assert "hand_template" not in merge_folds(sideless, num_replicates=20)["protocols"]
