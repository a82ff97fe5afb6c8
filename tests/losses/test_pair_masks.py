"""Which rows of a batch are compared with which."""

import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.losses import build_loss
from tests.losses.cases import ready_loss


def test_both_views_is_the_mean_over_the_anchors_of_any_and_of_cross():
    # Four photos on a line; in "any" all four anchors count, in "cross" the two of view 1 meet no negative.
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 0]], dtype="int32")
    rows = np.array([[0.0], [1.0], [3.0], [7.0]])
    # any:   anchor 0: positive 1, negative 3 -> 1 - 3 + 5 = 3; anchor 1: 1 - 2 + 5 = 4;
    #        anchor 2: 4 - 2 + 5 = 7; anchor 3: 4 - 6 + 5 = 3. Sum 17 over 4 anchors.
    # cross: anchor 0 meets row 1 only: no negative. Anchor 1: positive 0, negatives 2, 3: 1 - 2 + 5 = 4.
    #        Anchors 2 and 3 meet row 1 only, a negative. Sum 4 over 1 anchor.
    expected = {"any": 17 / 4, "cross": 4 / 1, "both": 21 / 5}
    for views, value in expected.items():
        loss = ready_loss("triplet", {"margin": 5.0, "views": views})
        assert float(loss(labels, rows)) == pytest.approx(value)


def test_labels_of_another_kind_are_refused():
    loss = build_loss("triplet", {})
    with pytest.raises(ConfigError, match="Labels must be integers"):
        loss([[0.0, 1.0]], [[1.0, 0.0]])
    with pytest.raises(ConfigError, match="identity, view"):
        loss([0, 1], [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ConfigError, match="sample_weight"):
        loss([[0, 1]], [[1.0, 0.0]], sample_weight=[1.0])
