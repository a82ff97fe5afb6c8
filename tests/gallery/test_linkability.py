"""The global linkability measure."""

import numpy as np
import pytest

from handnet.gallery.linkability import compute_linkability


def test_scores_that_never_overlap_link_and_equal_ones_do_not() -> None:
    assert compute_linkability([0.9, 1.0], [0.0, 0.1]) == 1.0
    scores = np.random.default_rng(0).normal(size=400)
    assert compute_linkability(scores, scores) == 0.0


def test_half_of_the_mated_scores_apart_link_half() -> None:
    # Two bins. Mated: half in the upper one; non-mated: all in the lower one, where (1/2 - 1) / (1/2 + 1) < 0 counts as 0.
    assert compute_linkability([0.0, 1.0], [0.0, 0.1], num_bins=2) == pytest.approx(0.5)
    # Upper bin: 3/4 of the mated and 1/4 of the others: (1/2) / 1, for 3/4 of the mated.
    assert compute_linkability([0, 1, 1, 1], [0, 0, 0, 1], num_bins=2) == pytest.approx(0.375)
