"""The guided filter against an explicit loop over windows, and what it is for: a border that moves to the edge."""

import numpy as np
import tensorflow as tf

from handnet.images.hand.guided_filter import guide_by_colors, invert_symmetric


def double(values):
    """Return rows and columns twice as many, bilinearly: each new one lies a quarter of the old step from an old one."""
    for axis in (0, 1):
        old = np.moveaxis(values, axis, 0)
        before, after = old[[0, *range(len(old) - 1)]], old[[*range(1, len(old)), -1]]
        new = np.stack([0.75 * old + 0.25 * before, 0.75 * old + 0.25 * after], 1)
        values = np.moveaxis(new.reshape(-1, *old.shape[1:]), 0, axis)
    return values


def filter_by_loops(chance, picture, radius, softness):
    """Return the map (S, S) as the papers say, at half the size, window by window; at the border smaller windows."""
    full = picture
    halve = lambda values: (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]) / 4  # noqa: E731
    chance, picture, radius = halve(chance), halve(picture), radius // 2
    size = len(chance)
    slopes, bases = np.zeros((size, size, 3)), np.zeros((size, size))
    window = lambda y, x: (slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1))  # noqa: E731
    for y in range(size):
        for x in range(size):
            colors, levels = picture[window(y, x)].reshape(-1, 3), chance[window(y, x)].ravel()
            spread = np.cov(colors.T, bias=True) + softness * np.eye(3)
            shared = (colors * levels[:, None]).mean(0) - colors.mean(0) * levels.mean()
            slopes[y, x] = np.linalg.solve(spread, shared)
            bases[y, x] = levels.mean() - slopes[y, x] @ colors.mean(0)
    mean_slopes, mean_bases = np.zeros((size, size, 3)), np.zeros((size, size))
    for y in range(size):
        for x in range(size):
            mean_slopes[y, x] = slopes[window(y, x)].reshape(-1, 3).mean(0)
            mean_bases[y, x] = bases[window(y, x)].mean()
    return (double(mean_slopes) * full).sum(-1) + double(mean_bases)


def test_it_is_the_filter_of_the_papers():
    random = np.random.default_rng(0)
    picture, chance = random.random((14, 14, 3)), random.random((14, 14))
    seen = guide_by_colors(
        tf.constant(chance[None, ..., None], tf.float32), tf.constant(picture[None], tf.float32), 2, 1e-2
    )
    np.testing.assert_allclose(seen[0, ..., 0], filter_by_loops(chance, picture, 2, 1e-2), atol=2e-4)


def test_a_border_that_is_off_moves_to_the_edge():
    picture = np.full((1, 48, 48, 3), (0.3, 0.5, 0.7), np.float32)
    picture[:, 20:] = (0.8, 0.6, 0.5)
    picture += np.random.default_rng(1).normal(0, 0.01, picture.shape).astype(np.float32)
    chance = np.zeros((1, 48, 48, 1), np.float32)
    chance[:, 23:] = 1.0
    moved = guide_by_colors(tf.constant(chance), tf.constant(picture), 12, 3e-4)[0, ..., 0].numpy() > 0.5
    np.testing.assert_array_equal(moved.argmax(axis=0), 20)


def test_the_inverse_of_three_by_three():
    random = np.random.default_rng(2)
    matrices = np.einsum("nij,nkj->nik", *[random.normal(size=(5, 3, 4))] * 2)
    upper = matrices[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(invert_symmetric(tf.constant(upper)), np.linalg.inv(matrices), rtol=1e-6, atol=1e-9)
