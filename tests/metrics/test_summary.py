"""Summaries of outcomes: figures, intervals, chance and curves agree."""

import numpy as np
import pytest

from handnet.metrics.chance import compute_chance
from handnet.metrics.embedded import make_part
from handnet.metrics.protocols import join_outcomes, rank_photos
from handnet.metrics.summary import summarize_outcome
from tests.metrics.oracles import draw_part


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
