"""The head of several sources as a layer: unit vectors, and products across the views that are the sources' scores."""

import keras
import numpy as np

from handnet.metrics.joined_lda import fit_joined_discriminant
from handnet.networks.joined_discriminant import JoinedDiscriminantLayer
from tests.metrics.test_joined_lda import SOURCES, draw, score_all


def build(embedding_size: int, num_directions: int = 7) -> keras.Model:
    features = keras.Input((27,))
    return keras.Model(features, JoinedDiscriminantLayer([15, 12], num_directions, embedding_size)(features))


def fill(model: keras.Model, found) -> None:
    arrays = [array for source in found.maps for array in source]
    model.set_weights([*arrays, found.view_kernel, found.view_bias, np.float32(found.has_views)])


def test_products_across_the_views_are_the_scores_and_vectors_have_length_one() -> None:
    features, people, views = draw()
    found = fit_joined_discriminant(features, SOURCES, people.tolist(), views.tolist(), 7, 0.3)
    # So sharp that a view is 0 or 1: then the products are exact.
    found = found._replace(view_kernel=1e3 * found.view_kernel, view_bias=1e3 * found.view_bias)
    model = build(20)
    fill(model, found)
    vectors = keras.ops.convert_to_numpy(model(features.astype(np.float32)))
    assert vectors.shape == (len(features), 20)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert not np.any(vectors[:, 16:])
    told = (features @ found.view_kernel + found.view_bias)[:, 0] > 0
    right = told == (views == "dorsal")
    assert right.mean() > 0.95
    lengths = np.linalg.norm(vectors[:, :14], axis=1)
    kept = right & (lengths < 0.985)
    assert kept.mean() > 0.7
    products = vectors[(views == "dorsal") & kept] @ vectors[(views == "palmar") & kept].T
    scores = score_all(found, features, views)
    expected = scores[np.ix_(kept[views == "dorsal"], kept[views == "palmar"])]
    np.testing.assert_allclose(products, expected, atol=1e-4)


def test_without_views_the_coordinates_of_the_view_are_zero() -> None:
    features, people, _ = draw()
    model = build(16)
    fill(model, fit_joined_discriminant(features, SOURCES, people.tolist(), None, 7, 0.3))
    vectors = keras.ops.convert_to_numpy(model(features.astype(np.float32)))
    assert not np.any(vectors[:, 14:])
    assert np.all(np.linalg.norm(vectors, axis=1) < 1.0)


def test_the_layer_is_rebuilt_from_its_settings(tmp_path) -> None:
    model = build(18, num_directions=5)
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(weight.shape).astype(np.float32) for weight in model.get_weights()])
    model.save_weights(tmp_path / "x.weights.h5")
    again = keras.Model.from_config(model.get_config())
    again.load_weights(tmp_path / "x.weights.h5")
    x = rng.standard_normal((3, 27)).astype(np.float32)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(x)), keras.ops.convert_to_numpy(model(x)))
