"""Each loss against loops in float64, on batches with unequal identities and views."""

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
