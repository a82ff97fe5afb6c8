"""The alignment moves hands back to a mean outline."""

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from benchmarks.synthetic_weights import find_mean_outline
from handnet.networks.backbones.hand.alignment import (
    HandAlignment,
    blur_rows,
    cover_hand,
    find_gain,
    gaussian_rows,
    sample,
)
from tests.networks.backbones.hand.hands import draw_hand


@pytest.mark.parametrize(("size", "sigma_px"), [(32, 0.25), (128, 1.0), (128, 4.0), (260, 8.125)])
def test_the_blur_is_scipy_s_to_the_bit(size: int, sigma_px: float) -> None:
    theirs = gaussian_filter1d(np.eye(size), sigma_px, axis=0, mode="nearest").astype(np.float32)
    np.testing.assert_array_equal(blur_rows(size, sigma_px), theirs)


@pytest.fixture(scope="module")
def alignment() -> HandAlignment:
    layer = HandAlignment()
    upright = draw_hand()[np.newaxis]
    layer(upright)
    rows = gaussian_rows(128, 32, 5.0)
    template = rows @ keras.ops.convert_to_numpy(cover_hand(upright))[0] @ rows.T
    gain, decay = find_gain(template)
    for variable, values in ((layer.template, template), (layer.gain, gain), (layer.decay, decay)):
        variable.assign(values)
    return layer


@pytest.mark.parametrize(
    "moved", [{"angle_deg": 6.0}, {"angle_deg": -6.0}, {"scale": 1.05}, {"scale": 0.95}, {"shift_px": (3, -3)}]
)
def test_alignment_moves_a_hand_back(alignment, moved):
    upright, other = draw_hand(), draw_hand(**moved)
    before = np.abs(other - upright).mean()
    after = np.abs(keras.ops.convert_to_numpy(alignment(other[np.newaxis]))[0] - upright).mean()
    assert before > 1.5, "the change must be seen"
    assert after < 0.45 * before


def test_alignment_without_a_template_changes_nothing():
    layer = HandAlignment()
    image = draw_hand(angle_deg=10.0)[np.newaxis]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(image)), image, atol=1e-3)


def test_alignment_of_an_empty_picture_and_of_noise_is_finite(alignment):
    white = np.full((1, 128, 128, 3), 255.0, np.float32)
    noise = np.random.default_rng(0).uniform(0, 255, (1, 128, 128, 3)).astype(np.float32)
    for image in (white, np.zeros_like(white), noise):
        out = keras.ops.convert_to_numpy(alignment(image))
        assert np.isfinite(out).all()
        assert out.min() >= 0.0
        assert out.max() <= 255.0


def test_mean_outline_of_turned_hands_is_sharper_than_their_average():
    hands = np.stack([draw_hand(angle_deg=a) for a in (-8.0, -4.0, 0.0, 4.0, 8.0)])
    rows = gaussian_rows(128, 32, 5.0)
    average = (rows @ keras.ops.convert_to_numpy(cover_hand(hands)) @ rows.T).mean(axis=0)
    template = find_mean_outline(hands, HandAlignment())
    assert np.square(np.gradient(template)).sum() > 1.1 * np.square(np.gradient(average)).sum()


def test_a_graph_holds_no_table_of_all_places(alignment):
    tf = pytest.importorskip("tensorflow")
    traced = tf.function(alignment, input_signature=[tf.TensorSpec((None, 128, 128, 3))], autograph=False)
    graph = traced.get_concrete_function().graph
    sizes = [
        np.size(tf.make_ndarray(node.attr["value"].tensor)) for node in graph.as_graph_def().node if node.op == "Const"
    ]
    assert 0 < max(sizes) < 128 * 128


def test_sample_is_exact_on_pixels_and_linear_between():
    image = np.random.default_rng(0).uniform(0, 255, (1, 5, 7, 2)).astype(np.float32)
    places = np.mgrid[:5, :7].reshape(1, 2, -1).astype(np.float32)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(sample(image, places))[0], image.reshape(-1, 2), rtol=1e-6)
    between = keras.ops.convert_to_numpy(sample(image, np.array([[[1.5], [2.25]]], np.float32)))
    expected = 0.5 * (0.75 * image[0, 1, 2] + 0.25 * image[0, 1, 3]) + 0.5 * (
        0.75 * image[0, 2, 2] + 0.25 * image[0, 2, 3]
    )
    np.testing.assert_allclose(between[0, 0], expected, rtol=1e-5)
    beyond = keras.ops.convert_to_numpy(sample(image, np.array([[[-9.0], [99.0]]], np.float32)))
    np.testing.assert_allclose(beyond[0, 0], image[0, 0, 6], rtol=1e-6)
