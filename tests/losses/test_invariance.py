"""What must not change a loss: the order of rows, the way it is executed, low precision and large labels."""

import numpy as np
import pytest
import tensorflow as tf

from tests.losses.cases import CASES, MINING_CASES, case_id, draw_for, loss_and_gradient, ready_loss


@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_order_of_rows_changes_nothing(name, options):
    y_true, y_pred = draw_for(name)
    loss = ready_loss(name, options)
    value, gradient = loss_and_gradient(loss, y_true, y_pred)
    order = np.random.default_rng(1).permutation(len(y_true))
    shuffled_value, shuffled_gradient = loss_and_gradient(loss, y_true[order], y_pred[order])
    assert shuffled_value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(shuffled_gradient, gradient[order], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True], ids=["function", "jit"])
@pytest.mark.parametrize(("name", "options"), MINING_CASES, ids=case_id)
def test_compiled_equals_eager(name, options, jit_compile):
    y_true, y_pred = draw_for(name, dtype="float32")
    loss = ready_loss(name, options)

    @tf.function(
        jit_compile=jit_compile,
        autograph=False,
        input_signature=[tf.TensorSpec([None, *y.shape[1:]], y.dtype) for y in (y_true, y_pred)],
    )
    def compiled(y_true, y_pred):
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            value = loss(y_true, y_pred)
        return value, tape.gradient(value, y_pred)

    value, gradient = loss_and_gradient(loss, y_true, y_pred)
    compiled_value, compiled_gradient = compiled(y_true, y_pred)
    assert value > 0
    assert float(compiled_value) == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(compiled_gradient, gradient, rtol=1e-4, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_low_precision_input_is_computed_in_float32(name, options, dtype):
    y_true, y_pred = draw_for(name)
    low = tf.cast(y_pred, dtype)
    loss = ready_loss(name, options)
    value = loss(y_true, low)
    assert value.dtype == tf.float32
    # The same rounded numbers in float64: nothing but the input was rounded.
    assert float(value) == pytest.approx(float(loss(y_true, tf.cast(low, tf.float64))), rel=2e-6)
