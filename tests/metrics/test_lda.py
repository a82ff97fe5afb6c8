"""The head in closed form, against scikit-learn and against what it promises."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from handnet.errors import DataError
from handnet.metrics.lda import fit_discriminant


def draw_people(num_people: int, photos: int, width: int, seed: int = 0):
    """Draw photos about a middle of their person, wide apart in two directions and noisy in all."""
    rng = np.random.default_rng(seed)
    middles = np.zeros((num_people, width))
    middles[:, :3] = rng.normal(0.0, 3.0, (num_people, 3))
    names = np.repeat([f"p{k:03d}" for k in range(num_people)], photos)
    views = np.tile(["dorsal", "palmar"], num_people * photos // 2)
    x = np.repeat(middles, photos, axis=0) + rng.normal(0.0, 1.0, (num_people * photos, width))
    return x + 5.0, names.tolist(), views.tolist()


def project(x, kernel, bias):
    return x @ kernel.astype(np.float64) + bias


def test_directions_span_those_of_scikit_learn():
    x, names, _ = draw_people(6, 10, 8)
    kernel, _ = fit_discriminant(x, names, None, 5, 1e-9)
    theirs = LinearDiscriminantAnalysis(solver="eigen").fit(x, names).scalings_[:, :5]
    # Each direction agrees up to its scale.
    ours = kernel / np.linalg.norm(kernel, axis=0)
    theirs = theirs / np.linalg.norm(theirs, axis=0)
    np.testing.assert_allclose(np.abs(np.sum(ours * theirs, axis=0)), 1.0, atol=1e-4)


def test_scatter_within_is_white_and_the_mean_is_zero():
    x, names, views = draw_people(40, 6, 12)
    kernel, bias = fit_discriminant(x, names, views, 11, 1e-9)
    z = project(x, kernel, bias)
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-5)
    within = np.concatenate([z[k : k + 6] - z[k : k + 6].mean(axis=0) for k in range(0, len(z), 6)])
    scatter = within.T @ within
    np.testing.assert_allclose(scatter / scatter[0, 0], np.eye(11), atol=1e-4)


def test_more_features_than_photos_give_the_same_as_the_whole_matrix():
    # The same data with columns of zeros added: the first call takes the product of features, the second that of photos.
    x, names, views = draw_people(8, 4, 20)
    wide = np.concatenate([x, np.zeros((len(x), 30))], axis=1)
    narrow_kernel, _ = fit_discriminant(x, names, views, 7, 0.5)
    wide_kernel, bias = fit_discriminant(wide, names, views, 7, 0.5 * 20 / np.linalg.matrix_rank(x - x.mean(0)))
    assert np.abs(narrow_kernel).max() > 0
    # Only the span of the photos counts in the penalty: equal where that is all of the space.
    np.testing.assert_allclose(wide_kernel[:20], narrow_kernel, atol=1e-4)
    np.testing.assert_allclose(wide_kernel[20:], 0.0, atol=1e-7)
    np.testing.assert_allclose(project(wide, wide_kernel, bias).mean(axis=0), 0.0, atol=1e-5)


def test_views_weigh_the_same_however_many_photos():
    x, names, views = draw_people(12, 4, 6)
    # Every palmar photo thrice: as if it had been there once.
    rows = [k for k, view in enumerate(views) for _ in range(3 if view == "palmar" else 1)]
    once, _ = fit_discriminant(x, names, views, 5, 0.3)
    thrice, _ = fit_discriminant(x[rows], [names[k] for k in rows], [views[k] for k in rows], 5, 0.3)
    ours, theirs = (kernel / np.linalg.norm(kernel, axis=0) for kernel in (once, thrice))
    np.testing.assert_allclose(ours, theirs, atol=2e-2)
    ignored, _ = fit_discriminant(x[rows], [names[k] for k in rows], None, 5, 0.3)
    other = ignored / np.linalg.norm(ignored, axis=0)
    assert np.abs(ours - other).max() > 5 * np.abs(ours - theirs).max(), "without views the many weigh more"


def test_it_finds_strangers_that_the_features_do_not():
    x, names, views = draw_people(60, 4, 30)
    x[:, 3:] *= 4.0
    kernel, bias = fit_discriminant(x[:160], names[:160], views[:160], 3, 0.3)
    strangers = x[160:]

    def count_hits(z):
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
        nearest = np.argsort(-(z[0::4] @ z[1::4].T), axis=1)[:, 0]
        return int((nearest == np.arange(len(nearest))).sum())

    assert count_hits(project(strangers, kernel, bias)) >= count_hits(strangers - x[:160].mean(axis=0)) + 5


def test_directions_that_do_not_exist_are_zero():
    x, names, views = draw_people(4, 4, 10)
    kernel, bias = fit_discriminant(x, names, views, 6, 0.3)
    assert np.abs(kernel[:, :3]).max(axis=0).min() > 0
    assert not kernel[:, 3:].any()
    assert not bias[3:].any()


def test_what_cannot_be_told_apart_is_refused():
    x, names, views = draw_people(3, 2, 4)
    with pytest.raises(DataError, match="at least two identities. Received: 1"):
        fit_discriminant(x[:2], names[:2], views[:2], 2, 0.3)
    with pytest.raises(DataError, match="at least one person with two different photos"):
        fit_discriminant(x[::2], names[::2], views[::2], 2, 0.3)
