"""Which pairs are drawn, halved and thinned."""

import numpy as np
import pytest

from handnet.data.example import Example
from handnet.data.pair_table import _choose, draw_pairs, halve_people, thin_pairs
from handnet.errors import DataError


def faces(num_people: int = 6, photos: int = 3) -> list[Example]:
    return [Example(f"/p{p}/{k}.jpg", f"p{p}") for p in range(num_people) for k in range(photos)]


def test_drawn_pairs_are_balanced_and_none_comes_twice() -> None:
    table = draw_pairs(faces(20, 4), 100, seed=3)
    assert (len(table.same), int(table.same.sum())) == (100, 50)
    assert ((table.people[:, 0] == table.people[:, 1]) == table.same).all()
    assert (table.rows[:, 0] != table.rows[:, 1]).all()
    assert len({frozenset(row) for row in table.rows.tolist()}) == 100
    again = draw_pairs(faces(20, 4), 100, seed=3)
    assert (again.rows == table.rows).all()
    assert (draw_pairs(faces(20, 4), 100, seed=4).rows != table.rows).any()


def test_few_photos_give_few_pairs_of_either_kind() -> None:
    table = draw_pairs(faces(6, 3), 1_000, seed=0)
    assert (int(table.same.sum()), int((~table.same).sum())) == (18, 18), "3 pairs each of 6 people"


def test_with_views_pairs_cross_them() -> None:
    hands = [Example(f"{p}{v}{k}", f"p{p}", v) for p in range(8) for v in ("dorsal", "palmar") for k in range(2)]
    table = draw_pairs(hands, 40, seed=0)
    views = np.asarray([example.view for example in table.examples])[table.rows]
    assert (views == ["dorsal", "palmar"]).all()


def test_pairs_need_people_to_pair() -> None:
    with pytest.raises(DataError, match="Received: a train part of 3 people, 0 of them such"):
        draw_pairs(faces(3, 1), 10, 0, "train")
    with pytest.raises(DataError, match="Received: a data set part of 1 people"):
        draw_pairs(faces(1, 3), 10, 0)


def test_halves_share_nobody() -> None:
    for table in (draw_pairs(faces(40, 4), 300, 0), draw_pairs(faces(40, 4), 60, 0)):
        first, second = halve_people(table, seed=0)
        assert not set(first.people.ravel()) & set(second.people.ravel())
        assert min(len(first.same), len(second.same)) > len(table.same) / 8
    with pytest.raises(DataError, match="too few to learn from one half"):
        halve_people(draw_pairs(faces(2, 2), 4, 0), seed=0)


def test_thinned_pairs_are_half_of_either_kind() -> None:
    table = thin_pairs(draw_pairs(faces(30, 4), 200, 0), 11)
    assert (int(table.same.sum()), int((~table.same).sum())) == (6, 5)
    assert len(table.examples) == len(np.unique(table.rows))


def test_items_are_chosen_as_numpy_chooses_them() -> None:
    # Else the pairs of a seed, and all figures of them, would change.
    ours, theirs = np.random.default_rng(4), np.random.default_rng(4)
    for count in (1, 2, 3, 7, 41, 1000, 2, 5):
        names = [f"person {k}" for k in range(count)]
        assert [_choose(ours, names) for _ in range(20)] == [str(theirs.choice(names)) for _ in range(20)]
