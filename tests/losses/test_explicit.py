"""Each loss against loops in float64, on batches with unequal identities and views."""

import numpy as np
import pytest

from handnet.losses import LOSSES
from tests.losses import explicit
from tests.losses.cases import CASES, case_id, draw_for, draw_proxies, ready_loss


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_equals_explicit_loops(name, options, seed):
    y_true, y_pred = draw_for(name, seed)
    further = (draw_proxies().astype("float64"),) if LOSSES[name].needs_classes else ()
    expected = getattr(explicit, name)(y_true, y_pred, *further, **options)
    assert expected > 1e-3
    assert float(ready_loss(name, options)(y_true, y_pred)) == pytest.approx(expected, rel=1e-9)


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


def test_semihard_takes_the_nearest_negative_beyond_the_positive_and_falls_back_to_the_farthest():
    labels = np.array([[0, 0], [0, 0], [1, 0], [2, 0]], dtype="int32")
    rows = np.array([[0.0], [2.0], [1.5], [3.0]])
    # Anchor 0: positive at 2, negatives at 1.5 and 3 -> 3 is the nearest beyond: 2 - 3 + 4 = 3.
    # Anchor 1: positive at 2, negatives at 0.5 and 1 -> none beyond, the farthest is 1: 2 - 1 + 4 = 5.
    assert float(ready_loss("triplet", {"mining": "semihard", "margin": 4.0})(labels, rows)) == pytest.approx(4.0)
