"""Open-set identification against searches done one by one."""

import numpy as np
import pytest

from handnet.metrics.embedded import make_part
from handnet.metrics.open_set import OpenSetScores, search_open_set, summarize_open_set
from tests.metrics.oracles import cosine, draw_part, mean_direction


def test_searches_equal_a_loop():
    part = make_part(*draw_part(np.random.default_rng(3), num_people=9))
    searches = search_open_set(part, seed=5, repetitions=3)
    people = sorted({p for p in part.identities if p != "p08"})  # p08 has one view only
    generator = np.random.default_rng(5)
    rows = list(zip(part.embeddings, part.identities, part.views, strict=True))
    palms = {p: mean_direction([e for e, i, v in rows if i == p and v == "palmar"]) for p in people}
    expected = []
    for _ in range(3):
        chosen = [people[i] for i in generator.permutation(8)[:4]]
        for embedding, person, view in rows:
            if view == "dorsal" and person in people:
                best = max(chosen, key=lambda p, e=embedding: cosine(e, palms[p]))
                expected.append((cosine(embedding, palms[best]), best == person, person in chosen, person))
    assert searches.num_gallery == 4
    np.testing.assert_allclose(searches.scores, [e[0] for e in expected], atol=1e-6)
    assert searches.found.tolist() == [e[1] for e in expected]
    assert searches.enrolled.tolist() == [e[2] for e in expected]
    assert searches.people.tolist() == [e[3] for e in expected]


def make_searches(strangers, known, found):
    people = np.array([f"p{i}" for i in range(len(strangers) + len(known))])
    return OpenSetScores(
        np.array([*strangers, *known], np.float32),
        np.array([False] * len(strangers) + found),
        np.array([False] * len(strangers) + [True] * len(known)),
        people,
        10,
    )


def test_rates_by_hand():
    # 20 strangers at 0.00, 0.01, … 0.19: at most 6 of them (30 %) may pass, those above 0.13; at 10 % two, above 0.17.
    strangers = [i / 100 for i in range(20)]
    known = [0.9, 0.185, 0.15, 0.145, 0.135, 0.5] * 3
    searches = make_searches(strangers, known, [True, True, True, True, True, False] * 3)
    figures = summarize_open_set(searches, num_replicates=200)
    assert figures["false_negative_rate"] == {"0.3": pytest.approx(1 / 6), "0.1": pytest.approx(4 / 6)}
    assert figures["thresholds"]["0.3"] == pytest.approx(0.135)
    assert figures["chance"] == {"0.3": pytest.approx(0.97), "0.1": pytest.approx(0.99)}
    assert list(figures["refused"]) == ["0.01"]
    assert "38 people who are not enrolled cannot carry a rate of 1 %" in figures["refused"]["0.01"]
    low, high = figures["interval"]["0.3"]
    assert low < 1 / 6 < high


def test_ties_with_strangers_do_not_pass():
    # All strangers tie at 0.5: passing one would pass all, so only what lies above counts.
    searches = make_searches([0.5] * 20, [0.5] * 10 + [0.6] * 10, [True] * 20)
    figures = summarize_open_set(searches, num_replicates=20)
    assert figures["false_negative_rate"]["0.1"] == 0.5
    collapsed = make_searches([0.5] * 20, [0.5] * 20, [True] * 20)
    assert summarize_open_set(collapsed, num_replicates=20)["false_negative_rate"]["0.3"] == 1


def test_a_collapsed_model_finds_nobody():
    embeddings = np.tile(np.eye(1, 5), (40, 1))
    part = make_part(embeddings, np.repeat([f"p{i}" for i in range(10)], 4), ["dorsal", "palmar"] * 20)
    assert not search_open_set(part).found.any()
