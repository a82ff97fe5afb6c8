import numpy as np
import pytest

from handnet.data.batch_plan import average_by_pool, build_pools, plan_pairs, plan_people
from handnet.errors import DataError


def make_photos(num_people: int, photos: dict[str, int]) -> tuple[list[int], list[str]]:
    identities, views = [], []
    for person in range(num_people):
        for view, count in photos.items():
            identities += [person] * count
            views += [view] * count
    return identities, views


def test_people_without_both_views_have_no_pool() -> None:
    pools = build_pools([0, 0, 1, 1, 2, 2], ["dorsal", "palmar", "dorsal", "dorsal", "palmar", "dorsal"])
    assert [pool.identity for pool in pools] == [0, 2]
    assert [group.tolist() for group in pools[1].photos_by_view] == [[5], [4]]


def test_without_views_two_photos_are_needed() -> None:
    pools = build_pools([0, 0, 1, 2, 2, 2], [""] * 6)
    assert [pool.identity for pool in pools] == [0, 2]
    assert [len(pool.photos_by_view) for pool in pools] == [1, 1]


@pytest.mark.parametrize(("num_people", "per_batch", "per_view", "passes"), [(13, 4, 1, 3), (8, 8, 2, 2), (9, 2, 3, 5)])
def test_each_person_comes_once_a_pass_with_both_views(
    num_people: int, per_batch: int, per_view: int, passes: int
) -> None:
    identities, views = make_photos(num_people, {"dorsal": 3, "palmar": 5})
    pools = build_pools(identities, views)
    plan = plan_people(pools, per_batch, per_view, passes, np.random.default_rng(0))
    people = np.asarray(identities)[plan].reshape(len(plan), per_batch, 2 * per_view)
    assert (people == people[:, :, :1]).all(), "the photos of a person lie together"
    for batch in people[:, :, 0]:
        assert len(set(batch.tolist())) == per_batch, "nobody twice in a batch"
    sides = np.asarray(views)[plan].reshape(len(plan), per_batch, 2, per_view)
    assert (sides[:, :, 0] == "dorsal").all()
    assert (sides[:, :, 1] == "palmar").all()
    visits = np.bincount(people[:, :, 0].ravel(), minlength=num_people)
    assert len(plan) == -(-num_people * passes // per_batch)
    assert visits.min() >= passes
    assert visits.sum() == len(plan) * per_batch


def test_weight_of_a_person_does_not_depend_on_the_number_of_photos() -> None:
    identities = [0] * 40 + [1] * 2 + [2] * 2 + [3] * 2
    views = ["dorsal", "palmar"] * 23
    plan = plan_people(build_pools(identities, views), 2, 1, 10, np.random.default_rng(3))
    visits = np.bincount(np.asarray(identities)[plan].ravel() // 1, minlength=4) / 2
    assert visits.tolist() == [10, 10, 10, 10]


def test_all_photos_are_used_before_one_comes_again() -> None:
    identities, views = make_photos(3, {"dorsal": 4, "palmar": 4})
    plan = plan_people(build_pools(identities, views), 3, 1, 4, np.random.default_rng(5))
    assert sorted(plan.ravel().tolist()) == list(range(24))


def test_plans_repeat_by_seed_alone() -> None:
    identities, views = make_photos(10, {"dorsal": 2, "palmar": 2})
    pools = build_pools(identities, views)
    first, again, other = (plan_people(pools, 4, 1, 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_too_few_people_for_a_batch() -> None:
    pools = build_pools(*make_photos(3, {"dorsal": 1, "palmar": 1}))
    with pytest.raises(DataError, match="A batch needs 8 people .* Received: 3. Lower sampler.people_per_batch"):
        plan_people(pools, 8, 1, 1, np.random.default_rng(0))
    with pytest.raises(DataError, match="Pairs need at least two people .* Received: 1"):
        plan_pairs(pools[:1], 8, 0.5, 1, np.random.default_rng(0))


@pytest.mark.parametrize("count", [0, 1])
def test_a_smaller_batch_is_not_advised_where_nobody_can_be_compared(count: int) -> None:
    pools = build_pools(*make_photos(count, {"dorsal": 1, "palmar": 1}))
    with pytest.raises(DataError, match=rf"Received: {count}\. Give photos of both views of at least 2 people"):
        plan_people(pools, 8, 1, 1, np.random.default_rng(0))


@pytest.mark.parametrize("positive_fraction", [0.0, 0.25, 0.5, 1.0])
def test_pairs_are_dorsal_palmar_with_the_wanted_share_of_positives(positive_fraction: float) -> None:
    identities, views = make_photos(7, {"dorsal": 2, "palmar": 3})
    pairs, labels = plan_pairs(build_pools(identities, views), 16, positive_fraction, 10, np.random.default_rng(2))
    people, sides = np.asarray(identities)[pairs], np.asarray(views)[pairs]
    assert pairs.shape == (5, 16, 2)
    assert ((people[..., 0] == people[..., 1]) == (labels == 1)).all()
    assert (sides[..., 0] == "dorsal").all()
    assert (sides[..., 1] == "palmar").all()
    assert (labels.sum(axis=1) == round(16 * positive_fraction)).all()
    openers = np.bincount(people[..., 0].ravel(), minlength=7)
    assert openers.min() >= 10, "every person opens `passes` pairs at least"


def test_negatives_reach_every_other_person_evenly() -> None:
    identities, views = make_photos(5, {"dorsal": 1, "palmar": 1})
    pairs, _ = plan_pairs(build_pools(identities, views), 100, 0.0, 2000, np.random.default_rng(4))
    people = np.asarray(identities)[pairs].reshape(-1, 2)
    counts = np.zeros((5, 5))
    np.add.at(counts, (people[:, 0], people[:, 1]), 1)
    assert np.diag(counts).sum() == 0
    off = counts[~np.eye(5, dtype=bool)]
    assert abs(off - 500).max() < 100, "500 expected in each cell; five standard deviations are about 106"


def test_pairs_without_views_are_of_two_photos() -> None:
    pools = build_pools([0, 0, 1, 1, 1], [""] * 5)
    pairs, labels = plan_pairs(pools, 10, 1.0, 5, np.random.default_rng(0))
    assert labels.all()
    assert (pairs[..., 0] != pairs[..., 1]).all()


@pytest.mark.parametrize(
    ("num_people", "per_batch", "passes"), [(13, 4, 3), (8, 8, 2), (9, 2, 5), (12, 4, 1), (7, 5, 4)]
)
def test_people_who_are_alike_meet_and_everybody_still_comes_once_a_pass(
    num_people: int, per_batch: int, passes: int
) -> None:
    identities, views = make_photos(num_people, {"dorsal": 2, "palmar": 2})
    pools = build_pools(identities, views)
    templates = np.random.default_rng(4).normal(size=(num_people, 2, 3)).astype(np.float32)
    plan = plan_people(pools, per_batch, 1, passes, np.random.default_rng(0), templates, 0.6)
    assert plan.tolist() == plan_people(pools, per_batch, 1, passes, np.random.default_rng(0), templates, 0.6).tolist()
    people = np.asarray(identities)[plan].reshape(len(plan), per_batch, 2)[:, :, 0]
    assert len(plan) == len(plan_people(pools, per_batch, 1, passes, np.random.default_rng(0)))
    assert all(len(set(batch.tolist())) == per_batch for batch in people), "nobody twice in a batch"
    visits = np.bincount(people.ravel(), minlength=num_people)
    assert visits.min() >= passes
    assert visits.max() <= passes + 1, "only those who fill the last batch come once more"


def test_a_batch_holds_those_whose_palm_is_most_like_the_first_persons_back_and_those_whose_back_is_like_the_palm() -> (
    None
):
    # Twelve people in six pairs: the back of one is the palm of the other, so that likeness within a view says nothing.
    identities, views = make_photos(12, {"dorsal": 1, "palmar": 1})
    axes = np.eye(12, dtype=np.float32)
    templates = np.stack([np.stack([axes[k], axes[k ^ 1]]) for k in range(12)])
    plan = plan_people(build_pools(identities, views), 2, 1, 6, np.random.default_rng(1), templates, 1.0)
    people = np.asarray(identities)[plan][:, ::2]
    assert (people[:, 0] ^ people[:, 1] == 1).all()
    apart = plan_people(build_pools(identities, views), 2, 1, 6, np.random.default_rng(1), templates, 0.0)
    assert not (np.asarray(identities)[apart][:, 0] ^ np.asarray(identities)[apart][:, 2] == 1).all()


def test_templates_are_the_unit_means_of_each_view() -> None:
    pools = build_pools([5, 5, 5, 9, 9], ["dorsal", "palmar", "dorsal", "palmar", "dorsal"])
    vectors = np.asarray([[1, 0], [0, 2], [0, 1], [-3, 0], [0, 0]], dtype=np.float32)
    root = 0.5**0.5
    np.testing.assert_allclose(average_by_pool(pools, vectors), [[[root, root], [0, 1]], [[0, 0], [-1, 0]]], atol=1e-6)
