"""Discriminant analysis for single photos of two views: scores by explicit sums, and what must not matter."""

import numpy as np
import pytest

from handnet.metrics.joined_lda import LENGTH_POWER, JoinedDiscriminant, Source, fit_joined_discriminant

SOURCES = (Source("one", (6, 9)), Source("two", (12,)))


def draw(num_people: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw features of people in two views, three photos each; the views differ by a constant and in half of the noise."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).standard_normal((8, 27))
    people = np.repeat([f"p{k:02d}" for k in range(num_people)], 6)
    views = np.tile(["dorsal"] * 3 + ["palmar"] * 3, num_people)
    hidden = np.repeat(rng.standard_normal((num_people, 8)), 6, axis=0)
    features = (hidden @ mixing) + 1.5 * rng.standard_normal((len(people), 27)) * np.linspace(0.2, 1.5, 27)
    features += np.where(views == "dorsal", 1.0, -2.0)[:, None] * np.linspace(0.0, 1.0, 27)
    return features, people, views


def fit(features: np.ndarray, people: np.ndarray, views: np.ndarray | None, sources=SOURCES) -> JoinedDiscriminant:
    names = None if views is None else views.tolist()
    return fit_joined_discriminant(features, sources, people.tolist(), names, 7, 0.3)


def embed(found: JoinedDiscriminant, x: np.ndarray, is_first: bool, sources=SOURCES) -> np.ndarray:
    """Embed one photo by loops, its view known."""
    parts, begin = [], 0
    for source, (kernel, bias, shift, importance) in zip(sources, found.maps, strict=True):
        width = sum(source.widths)
        z = np.array([sum(x[begin + i] * kernel[i, k] for i in range(width)) for k in range(kernel.shape[1])]) + bias
        begin += width
        if is_first:
            z = z - shift
        parts.append(z / np.sqrt(sum(importance[k] * z[k] ** 2 for k in range(len(z)))))
    return np.concatenate(parts)


def score_all(found: JoinedDiscriminant, features: np.ndarray, views: np.ndarray, sources=SOURCES) -> np.ndarray:
    rows = np.stack([embed(found, x, view == "dorsal", sources) for x, view in zip(features, views, strict=True)])
    return rows[views == "dorsal"] @ rows[views == "palmar"].T


def test_strangers_are_found_across_the_views() -> None:
    features, people, views = draw()
    others, names, sides = draw(20, seed=1)
    scores = score_all(fit(features, people, views), others, sides)
    nearest = names[sides == "palmar"][scores.argmax(axis=1)]
    # Chance is 5 %.
    assert np.mean(nearest == names[sides == "dorsal"]) > 0.6


def test_a_group_s_scale_and_a_view_s_mean_do_not_matter() -> None:
    features, people, views = draw()
    before = score_all(fit(features, people, views), features, views)
    changed = features * np.repeat([1e3, 1.0, 1e-2], [6, 9, 12])
    np.testing.assert_allclose(score_all(fit(changed, people, views), changed, views), before, rtol=1e-3, atol=1e-4)
    moved = features + np.where(views == "dorsal", 5.0, 0.0)[:, None]
    np.testing.assert_allclose(score_all(fit(moved, people, views), moved, views), before, rtol=1e-3, atol=1e-4)


def test_sources_weigh_the_same_and_half_of_the_photos_are_short() -> None:
    features, people, views = draw()
    found = fit(features, people, views)
    rows = np.stack([embed(found, x, view == "dorsal") for x, view in zip(features, views, strict=True)])
    first, second = rows[:, :7], rows[:, 7:]
    spreads = [(part[views == "dorsal"] @ part[views == "palmar"].T).std() for part in (first, second)]
    assert spreads[0] == pytest.approx(spreads[1], rel=1e-3)
    assert np.median(np.linalg.norm(rows, axis=1)) == pytest.approx(0.6, rel=1e-3)


def test_a_source_that_does_not_tell_the_view_has_no_part_in_it() -> None:
    features, people, views = draw()
    silent = (SOURCES[0], SOURCES[1]._replace(tells_view=False))
    found = fit(features, people, views, silent)
    assert not found.view_kernel[15:].any()
    alone = fit(features[:, :15], people, views, SOURCES[:1])
    np.testing.assert_allclose(found.view_kernel[:15], alone.view_kernel, rtol=1e-5)
    np.testing.assert_allclose(found.view_bias, alone.view_bias, rtol=1e-5)
    # Where none tells it, all do.
    nobody = tuple(source._replace(tells_view=False) for source in SOURCES)
    np.testing.assert_array_equal(
        fit(features, people, views, nobody).view_kernel, fit(features, people, views).view_kernel
    )


def test_a_source_s_scores_count_by_its_weight() -> None:
    features, people, views = draw()
    lighter = (SOURCES[0], SOURCES[1]._replace(score_weight=0.25))
    found = fit(features, people, views, lighter)
    rows = np.stack([embed(found, x, True) for x in features[:40]])
    # One source's vectors all have one length, whose square is what its scores count.
    lengths = [np.linalg.norm(part, axis=1) for part in (rows[:, :7], rows[:, 7:])]
    found = fit(features, people, views)
    rows = np.stack([embed(found, x, True) for x in features[:40]])
    before = [np.linalg.norm(part, axis=1) for part in (rows[:, :7], rows[:, 7:])]
    np.testing.assert_allclose((lengths[1] / lengths[0]) ** 2, 0.25 * (before[1] / before[0]) ** 2, rtol=1e-3)


def test_the_length_is_measured_by_the_variance_between_people() -> None:
    features, people, views = draw()
    source = (Source("all", (27,)),)
    found = fit(features, people, views, source)
    rows = []
    for x, view in zip(features, views, strict=True):
        z = x @ found.maps[0].kernel + found.maps[0].bias - (view == "dorsal") * found.maps[0].shift
        rows.append(z)
    middles = np.stack(
        [np.mean([r for r, p in zip(rows, people, strict=True) if p == name], axis=0) for name in np.unique(people)]
    )
    expected = middles.var(axis=0) ** LENGTH_POWER
    ratio = found.maps[0].importance / expected
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_the_view_is_told_from_the_features() -> None:
    features, people, views = draw()
    others, _, sides = draw(20, seed=1)
    found = fit(features, people, views)
    logits = (others @ found.view_kernel + found.view_bias)[:, 0]
    assert np.mean((logits > 0) == (sides == "dorsal")) > 0.9


@pytest.mark.parametrize("kinds", ["none", "one"])
def test_without_two_views_the_mean_of_all_is_taken_off(kinds: str) -> None:
    features, people, _ = draw()
    found = fit(features, people, None if kinds == "none" else np.full(len(people), "face"))
    assert found.has_views == 0.0
    assert not np.any(found.view_kernel)
    z = features[:, :15] @ found.maps[0].kernel + found.maps[0].bias
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-4)
    assert not np.any(found.maps[0].shift)
