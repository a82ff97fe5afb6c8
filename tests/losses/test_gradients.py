"""Gradients against central finite differences in float64, for every loss and miner in LOSSES."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from handnet.losses import LOSSES
from handnet.losses.distances import cosine_similarities
from handnet.losses.proxies import margin_cross_entropy, one_hot_mask, proxy_anchor
from tests.losses import explicit
from tests.losses.cases import CASES, case_id, draw_batch, draw_for, draw_proxies, ready_loss

STEP = 1e-6


def loop_differences(value, x):
    """Return the central differences of a scalar function of an array."""
    gradient = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        shift = np.zeros_like(x)
        shift[place] = STEP
        gradient[place] = (value(x + shift) - value(x - shift)) / 2 / STEP
    return gradient


def finite_differences(value, x):
    """Return the central differences of a scalar function of a tensor, which is traced once."""
    compiled = tf.function(value, autograph=False)
    return loop_differences(lambda moved: float(compiled(tf.constant(moved))), x)


def automatic(value, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = value(x)
    return tape.gradient(result, x).numpy()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_gradient_equals_finite_differences(name, options):
    y_true, y_pred = draw_for(name, seed=5)
    loss = ready_loss(name, options)
    gradient = automatic(lambda x: loss(y_true, x), y_pred)
    if name == "circle":
        # As published its weights are fixed in the gradient, so that it is not the derivative of the value.
        expected = loop_differences(lambda x: explicit.circle(y_true, x, **options, paced_by=y_pred), y_pred)
    else:
        expected = finite_differences(lambda x: loss(y_true, x), y_pred)
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"), [("triplet", {"mining": "all"}), ("batch_contrastive", {"margin": 1.5})], ids=case_id
)
def test_gradient_with_a_memory_equals_finite_differences(name, options):
    labels, rows = draw_batch(seed=5)
    loss = ready_loss(name, {**options, "memory_size": 6})
    loss.state.build((None, rows.shape[1]))
    loss.state(rows[:1], training=True)
    loss(labels[:6], draw_batch(seed=6)[1][:6])
    loss.state(rows[:1], training=False)
    gradient = automatic(lambda x: loss(labels, x), rows)
    np.testing.assert_allclose(gradient, finite_differences(lambda x: loss(labels, x), rows), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in LOSSES if LOSSES[name].needs_classes])
def test_gradient_by_the_proxies_equals_finite_differences(name):
    labels, rows = draw_batch(seed=5)
    loss = ready_loss(name, {})
    own = one_hot_mask(ops.convert_to_tensor(labels), loss.state.num_classes)

    def value(proxies):
        if name == "proxy_anchor":
            return proxy_anchor(cosine_similarities(proxies, rows), ops.transpose(own), loss.margin, loss.alpha)
        angle, offset = (loss.margin, 0.0) if name == "arcface" else (0.0, loss.margin)
        return ops.mean(margin_cross_entropy(cosine_similarities(rows, proxies), own, angle, offset, loss.scale))

    proxies = draw_proxies().astype("float64")
    expected = finite_differences(value, proxies)
    np.testing.assert_allclose(automatic(value, proxies), expected, rtol=1e-6, atol=1e-6)
    with tf.GradientTape() as tape:
        result = loss(labels, tf.constant(rows))
    trained = tape.gradient(result, loss.state.proxies.value).numpy()
    assert float(result) == pytest.approx(float(value(proxies)))
    np.testing.assert_allclose(trained, expected, rtol=1e-5, atol=1e-5)
