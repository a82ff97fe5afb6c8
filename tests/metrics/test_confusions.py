"""What the error browser shows, against loops over all photos."""

import numpy as np

from handnet.metrics.confusions import draw_searches, find_look_alikes, find_worst_queries
from handnet.metrics.embedded import make_part
from handnet.metrics.protocols import rank_photos
from tests.metrics.oracles import cosine, draw_part, mean_direction, rank_one
from tests.metrics.test_protocols import draw_hands


def test_worst_queries_are_the_last_found_with_the_nearest_wrong_people():
    part = make_part(*draw_part(np.random.default_rng(4), num_people=10))
    worst = find_worst_queries(part, rank_photos(part, "dorsal_to_palmar"), num_queries=4, num_wrong=3)
    palms = [i for i in range(len(part.views)) if part.views[i] == "palmar"]
    ranks = {}
    for i in range(len(part.views)):
        if part.views[i] == "dorsal" and part.identities[i] != "p09":
            answers = [part.embeddings[j] for j in palms]
            ranks[i] = rank_one(part.embeddings[i], part.identities[i], answers, part.identities[palms])[0]
    per_person = sorted(
        max(r for i, r in ranks.items() if part.identities[i] == p) for p in set(part.identities) - {"p09"}
    )
    assert [c.rank for c in worst] == per_person[::-1][:4]
    assert len({part.identities[c.row] for c in worst}) == 4
    for confusion in worst:
        assert ranks[confusion.row] == confusion.rank
        query, person = part.embeddings[confusion.row], part.identities[confusion.row]
        near = {
            p: max(cosine(query, part.embeddings[j]) for j in palms if part.identities[j] == p)
            for p in set(part.identities[palms])
        }
        others = sorted((p for p in near if p != person), key=lambda p, near=near: -near[p])[:3]
        assert [part.identities[n.row] for n in confusion.wrong] == others
        assert part.identities[confusion.right.row] == person
        np.testing.assert_allclose(confusion.right.similarity, near[person], atol=1e-6)
        assert confusion.num_gallery == len(palms)


def test_look_alikes_are_the_nearest_templates_of_different_people(monkeypatch):
    monkeypatch.setattr("handnet.metrics.confusions._BLOCK_CELLS", 30)
    part = make_part(*draw_part(np.random.default_rng(5), num_people=12))
    pairs = find_look_alikes(part, num_pairs=5)
    rows = list(zip(part.embeddings, part.identities, part.views, strict=True))
    people = sorted(set(part.identities))
    mean = {
        (p, v): mean_direction([e for e, i, w in rows if (i, w) == (p, v)])
        for p in people
        for v in ("dorsal", "palmar")
        if any((i, w) == (p, v) for _, i, w in rows)
    }
    best = {}
    for p in people:
        for q in people:
            if p != q and (q, "palmar") in mean:
                key = frozenset((p, q))
                best[key] = max(best.get(key, -2), cosine(mean[p, "dorsal"], mean[q, "palmar"]))
    expected = sorted(best.values(), reverse=True)[:5]
    np.testing.assert_allclose([pair.similarity for pair in pairs], expected, atol=1e-6)
    for pair in pairs:
        assert part.views[pair.dorsal_row] == "dorsal"
        assert part.views[pair.palmar_row] == "palmar"
        assert part.identities[pair.dorsal_row] != part.identities[pair.palmar_row]


def test_two_people_have_one_pair():
    part = make_part(np.eye(4), ["a", "a", "b", "b"], ["dorsal", "palmar"] * 2)
    assert len(find_look_alikes(part)) == 1
    assert len(find_worst_queries(part, rank_photos(part, "dorsal_to_palmar"))) == 2


def test_searches_are_random_and_say_where_the_right_person_came() -> None:
    part = draw_hands(num_people=10, noise=2.0)
    searches = draw_searches(part, seed=3, num_queries=6)
    assert len({part.identities[search.row] for search in searches}) == 6
    for search in searches:
        person = part.identities[search.row]
        people = [part.identities[neighbour.row] for neighbour in search.nearest]
        assert part.views[search.row] == "dorsal"
        assert len(set(people)) == len(people) == 5
        assert search.num_people == 10
        assert (people.index(person) + 1 if person in people else 6) == min(search.place, 6)
        assert part.identities[search.right.row] == person
        similarities = [neighbour.similarity for neighbour in search.nearest]
        assert similarities == sorted(similarities, reverse=True)
    assert draw_searches(part, seed=3, num_queries=6) == searches
