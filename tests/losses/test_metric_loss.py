"""What all losses share: labels as they are, float32 or better, their own variables in the model."""

import numpy as np
import pytest
import tensorflow as tf

from handnet.errors import ConfigError
from handnet.losses import build_loss
from tests.losses.cases import PAIR_CASES, case_id, draw_for, ready_loss
from tests.losses.fitted import photos


def test_a_loss_with_variables_needs_attach():
    rows, labels = photos()
    for name, options in (("arcface", {"num_classes": 4}), ("triplet", {"memory_size": 8})):
        with pytest.raises(ConfigError, match=r"attach\(loss, embeddings\)"):
            build_loss(name, options)(labels, rows)


@pytest.mark.parametrize(("name", "options"), PAIR_CASES, ids=case_id)
def test_labels_up_to_the_largest_int32_stay_distinct(name, options):
    y_true, y_pred = draw_for(name, dtype="float32")
    loss = ready_loss(name, options)
    expected = float(loss(y_true, y_pred))
    for first in (2**31 - 5, 2**24 - 2, 254):
        large = (y_true + np.array([first, 0], dtype="int64")).astype("int32")
        assert float(loss(large, tf.cast(y_pred, tf.float32))) == expected


def test_float64_input_stays_float64():
    y_true, y_pred = draw_for("triplet")
    assert ready_loss("triplet", {})(y_true, tf.constant(y_pred)).dtype == tf.float64
