"""The statistics of a batch: hand-derived figures, inside fit and under low precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from handnet.errors import ConfigError
from handnet.training.batch_statistics import BatchStatistics

# Four photos on a line, at 0, 1, 3 and 7: two of person 0 (a view each), two of person 1 (both of view 0).
LABELS = np.array([[0, 0], [0, 1], [1, 0], [1, 0]], dtype="int32")
ROWS = np.array([[0.0], [1.0], [3.0], [7.0]], dtype="float32")


def figures(metric):
    return {name: float(value) for name, value in metric.result().items()}


def test_figures_of_one_batch():
    metric = BatchStatistics(margin=1.5)
    metric.update_state(LABELS, ROWS)
    # Anchor 0: positive at 1, negatives at 3, 7: 1 - 3 + 1.5 < 0: none of 2. Anchor 1: positive at 1, negatives at 2, 6:
    # 1 - 2 + 1.5 > 0: 1 of 2. Anchor 2: 4, negatives 3, 2: 2 of 2. Anchor 3: 4, negatives 7, 6: 4 - 6 + 1.5 < 0: none.
    # Negative pairs: 3, 7, 2, 6, each from both sides.
    assert figures(metric) == pytest.approx(
        {"active_triplets": 3 / 8, "positive_distance": 2.5, "negative_distance": 4.5, "mean_norm": 11 / 4}
    )


def test_across_the_views_only():
    metric = BatchStatistics(margin=1.5, views="cross")
    metric.update_state(LABELS, ROWS)
    # Row 1 is the only one of its view. As an anchor: positive at 1, negatives at 2, 6: 1 of 2. The others meet only it.
    assert figures(metric) == pytest.approx(
        {"active_triplets": 1 / 2, "positive_distance": 1.0, "negative_distance": 4.0, "mean_norm": 11 / 4}
    )


def test_an_epoch_weights_pairs_alike_and_forgets_the_last():
    metric = BatchStatistics(margin=1.5)
    metric.update_state(LABELS, ROWS)
    metric.update_state(LABELS[:2], 3 * ROWS[:2])  # one positive pair, at 3; no negative
    assert figures(metric)["positive_distance"] == pytest.approx((1 + 1 + 4 + 4 + 3 + 3) / 6)
    assert figures(metric)["mean_norm"] == pytest.approx((11 / 4 + 1.5) / 2)
    metric.reset_state()
    assert figures(metric) == dict.fromkeys(figures(metric), 0.0)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_low_precision_embeddings_and_large_identities(dtype):
    metric = BatchStatistics(margin=1.5)
    metric.update_state(LABELS + np.array([2**31 - 2, 0]), tf.cast(ROWS, dtype))
    assert figures(metric)["active_triplets"] == pytest.approx(3 / 8)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_fit_logs_them_each_epoch(policy):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        inputs = keras.Input((1,))
        outputs = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False, trainable=False)(inputs)
        model = keras.Model(inputs, outputs)
        model.compile(loss=lambda labels, rows: keras.ops.mean(rows), metrics=[BatchStatistics(margin=1.5)])
        history = model.fit(ROWS, LABELS, batch_size=4, epochs=2, verbose=0).history
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert history["active_triplets"] == pytest.approx([3 / 8] * 2)
    assert history["positive_distance"] == pytest.approx([2.5] * 2)
    assert history["negative_distance"] == pytest.approx([4.5] * 2)
    assert history["mean_norm"] == pytest.approx([11 / 4] * 2)


def test_invalid_options_are_refused():
    with pytest.raises(ConfigError, match="margin"):
        BatchStatistics(margin=0)
    with pytest.raises(ConfigError, match="views"):
        BatchStatistics(views="both")
