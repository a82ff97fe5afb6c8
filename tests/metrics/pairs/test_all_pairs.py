"""All pairs of a part, scored block by block."""

import numpy as np
import pytest
from sklearn import metrics

from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.pair_intervals import bin_pairs
from handnet.metrics.pairs.verification import (
    build_curve,
    compute_auc,
)
from tests.metrics.oracles import draw_part
from tests.metrics.pairs.scores import brute_force, label


def test_streamed_pairs_equal_all_pairs(monkeypatch):
    monkeypatch.setattr("handnet.metrics.pairs.all_pairs._BLOCK_CELLS", 40)
    part = make_part(*draw_part(np.random.default_rng(2), num_people=12))
    genuine, impostor = brute_force(part)
    pairs = score_pairs(part, [0.25])
    assert (len(pairs.genuine), pairs.num_impostor) == (len(genuine), len(impostor))
    np.testing.assert_allclose(pairs.genuine, np.sort(genuine), atol=1e-6)
    assert pairs.impostor_histogram.sum() == len(impostor)
    truth, scores = label(genuine, impostor)
    assert compute_auc(build_curve(pairs)) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-6)
    at = dict(zip(pairs.thresholds.tolist(), pairs.impostors_at.tolist(), strict=True))
    assert at[0.25] == (impostor >= 0.25).sum()
    # The last person has dorsal photos only: 11 people with both views, 55 pairs, and 11 with the last person.
    assert (pairs.num_people, pairs.num_person_pairs) == (12, 66)
    for person in set(pairs.genuine_people):
        dorsal, palmar = (((part.identities == person) & (part.views == view)).sum() for view in ("dorsal", "palmar"))
        assert (pairs.genuine_people == person).sum() == dorsal * palmar


def test_binned_pairs_are_the_pairs_of_every_two_people():
    part = make_part(*draw_part(np.random.default_rng(6), num_people=7))
    edges = np.array([-0.2, 0.1, 0.5], np.float32)
    genuine, impostor = bin_pairs(part, edges)
    a, b = (part.identities == "p01") & (part.views == "dorsal"), (part.identities == "p03") & (part.views == "palmar")
    scores = (part.embeddings[a] @ part.embeddings[b].T).ravel()
    expected = [
        (scores < -0.2).sum(),
        ((scores >= -0.2) & (scores < 0.1)).sum(),
        ((scores >= 0.1) & (scores < 0.5)).sum(),
    ]
    assert impostor[1, 3].tolist() == [*expected, (scores >= 0.5).sum()]
    assert impostor[2, 2].sum() == 0
    same, different = brute_force(part)
    assert (genuine.sum(), impostor.sum()) == (len(same), len(different))
