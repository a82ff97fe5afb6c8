"""Each protocol against its definition, written out by hand or by a slow oracle."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.embedded import make_part
from handnet.metrics.protocols import (
    PROTOCOLS,
    draw_rows,
    rank_one_shot,
    rank_photos,
    rank_same_view,
    rank_small_templates,
    rank_templates,
)
from tests.metrics.oracles import rank_one


def draw_hands(seed=0, num_people=8, photos=3, dimensions=6, noise=1.0, accessories=None):
    """Every person with both hands in both views, `photos` each, in random order."""
    generator = np.random.default_rng(seed)
    rows = []
    for person in range(num_people):
        centre = generator.normal(size=dimensions)
        for view in ("dorsal", "palmar"):
            for side in ("left", "right"):
                for k in range(photos):
                    vector = centre + noise * generator.normal(size=dimensions)
                    worn = str(int(accessories is not None and accessories(person, view, side, k)))
                    rows.append((vector / np.linalg.norm(vector), f"p{person:02d}", view, side, {"accessories": worn}))
    generator.shuffle(rows)
    return make_part(*map(list, zip(*rows, strict=True)))


def test_hand_level_counts_the_other_hand_as_wrong():
    # The dorsal left hand of a lies at 0°; a's right palm at 10°, a's left palm at 20°, b's palms far away.
    degrees = np.deg2rad([0, 10, 20, 90, 95, 100, 105])
    part = make_part(
        np.stack([np.cos(degrees), np.sin(degrees)], axis=1),
        ["a", "a", "a", "b", "b", "b", "b"],
        ["dorsal", "palmar", "palmar", "dorsal", "palmar", "dorsal", "palmar"],
        ["left", "right", "left", "left", "left", "right", "right"],
    )
    assert rank_photos(part, "dorsal_to_palmar").ranking.ranks.tolist() == [1, 1, 1]
    outcome = rank_photos(part, "dorsal_to_palmar", "hand")
    assert outcome.ranking.ranks.tolist() == [2, 1, 2]  # b's right hand at 100° ties with both palms of b
    assert outcome.people.tolist() == ["a", "b", "b"]
    assert outcome.rows.tolist() == [0, 3, 5]
    # Hands with both views: a left, b left, b right; the gallery is their palms at 20°, 95° and 105°.
    assert rank_templates(part, "dorsal_to_palmar", "hand").ranking.num_gallery.tolist() == [3, 3, 3]


def test_templates_of_few_photos_follow_the_drawn_rows():
    part = draw_hands()
    outcome = rank_small_templates(part, "dorsal_to_palmar", seed=3, num_photos=2, repetitions=4)
    assert len(outcome.people) == 4 * 8
    assert set(outcome.rows) == {-1}
    generator = np.random.default_rng(3)
    dorsal, palmar = np.flatnonzero(part.views == "dorsal"), np.flatnonzero(part.views == "palmar")
    queries = draw_rows(dorsal, part.identities, 2, generator)
    gallery = draw_rows(palmar, part.identities, 2, generator)
    names = sorted(set(part.identities))
    mean = lambda rows, name: part.embeddings[rows][part.identities[rows] == name].sum(axis=0)  # noqa: E731
    answers = [mean(gallery, name) / np.linalg.norm(mean(gallery, name)) for name in names]
    ranks = [rank_one(mean(queries, n) / np.linalg.norm(mean(queries, n)), n, answers, names)[0] for n in names]
    assert outcome.ranking.ranks[:8].tolist() == ranks


def test_all_photos_in_a_template_is_the_published_protocol():
    part = draw_hands()
    few = rank_small_templates(part, "dorsal_to_palmar", seed=0, num_photos=99, repetitions=1)
    assert few.ranking.ranks.tolist() == rank_templates(part, "dorsal_to_palmar").ranking.ranks.tolist()


def test_one_shot_gallery_has_one_photo_a_person():
    part = draw_hands()
    outcome = rank_one_shot(part, "dorsal_to_palmar", seed=5, repetitions=3)
    assert len(outcome.people) == 3 * (part.views == "dorsal").sum()
    assert set(outcome.ranking.num_gallery) == {8}
    assert set(outcome.ranking.num_relevant) == {1}
    again = rank_one_shot(part, "dorsal_to_palmar", seed=5, repetitions=3)
    assert again.ranking.ranks.tolist() == outcome.ranking.ranks.tolist()
    other = rank_one_shot(part, "dorsal_to_palmar", seed=6, repetitions=3)
    assert other.ranking.ranks.tolist() != outcome.ranking.ranks.tolist()


def test_drawn_rows_are_of_every_identity_and_of_the_given_rows():
    labels = np.array(["a", "a", "a", "b", "b", "c"])
    generator = np.random.default_rng(0)
    seen = {tuple(draw_rows(np.array([0, 2, 3, 4, 5]), labels, 1, generator)) for _ in range(200)}
    assert seen == {(a, b, 5) for a in (0, 2) for b in (3, 4)}
    assert draw_rows(np.arange(6), labels, 2, generator).tolist()[-1] == 5
    assert len(draw_rows(np.arange(6), labels, 2, generator)) == 5


def test_same_view_follows_the_published_protocol():
    part = draw_hands(num_people=5, accessories=lambda person, view, side, k: person == 4 and view == "dorsal")
    outcomes = rank_same_view(part, seed=0, repetitions=10)
    assert sorted(outcomes) == ["dorsal left", "dorsal right", "palmar left", "palmar right"]
    # Dorsal: 4 people (p04 wears a ring), 3 photos each: 2 queries each, ten times. The gallery is 4 + 4 + 5 + 5.
    dorsal = outcomes["dorsal left"]
    assert len(dorsal.people) == 10 * 4 * 2
    assert "p04" not in dorsal.people
    assert set(dorsal.ranking.num_gallery) == {18}
    assert set(dorsal.ranking.num_relevant) == {1}  # the same person's other aspects are distractors
    assert len(outcomes["palmar right"].people) == 10 * 5 * 2


def test_same_view_answers_with_the_nearest_photo():
    # One person's other hand lies nearer to the query than the right answer: it is a distractor before it.
    degrees = np.deg2rad([0, 20, 10, 90, 100])
    part = make_part(
        np.stack([np.cos(degrees), np.sin(degrees)], axis=1),
        ["a", "a", "a", "b", "b"],
        ["dorsal"] * 5,
        ["left", "left", "right", "left", "left"],
    )
    outcome = rank_same_view(part, seed=0, repetitions=20)["dorsal left"]
    assert set(outcome.ranking.ranks[outcome.people == "a"]) == {2}
    assert set(outcome.ranking.ranks[outcome.people == "b"]) == {1}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_is_repeatable_and_perfect_on_clean_vectors(name):
    part = draw_hands(noise=1e-4) if "hand" not in name else _draw_separate_hands()
    for direction in ("dorsal_to_palmar", "palmar_to_dorsal"):
        outcome = PROTOCOLS[name].rank(part, direction, 7)
        assert set(outcome.ranking.ranks) == {1}
        assert len(outcome.people) == len(outcome.rows) == len(outcome.ranking.num_gallery)


def _draw_separate_hands():
    part = draw_hands(num_people=6)
    _, codes = np.unique(part.hands, return_inverse=True)
    return make_part(np.eye(12)[codes], part.identities, part.views, part.sides)


def test_bad_input_is_named():
    part = draw_hands(num_people=3)
    sideless = make_part(part.embeddings, part.identities, part.views)
    with pytest.raises(EvaluationError, match="need the side of every photo. Received: 36 of 36"):
        rank_photos(sideless, "dorsal_to_palmar", "hand")
    with pytest.raises(EvaluationError, match=r"Same-view retrieval needs an aspect.*0 of a known side"):
        rank_same_view(sideless, seed=0)
    with pytest.raises(EvaluationError, match="`direction` must be one of: dorsal_to_palmar"):
        rank_templates(part, "dorsal")
    with pytest.raises(EvaluationError, match="at least two people"):
        rank_one_shot(part.select(part.identities == "p00"), "dorsal_to_palmar", seed=0)
