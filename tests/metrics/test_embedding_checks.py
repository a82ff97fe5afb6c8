"""What embeddings and labels must satisfy."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.ranking import (
    compute_person_ranks,
)
from tests.metrics.oracles import draw_part
from tests.metrics.published import compute_retrieval


def bad(what):
    embeddings, identities, views = draw_part(np.random.default_rng(0))
    embeddings, identities, views = embeddings.copy(), identities.copy(), views.astype(object)
    match what:
        case "nan":
            embeddings[3, 2] = np.nan
        case "unnormalised":
            embeddings *= 7
        case "flat":
            embeddings = embeddings[:, 0]
        case "empty":
            embeddings = embeddings[:0]
        case "integers":
            embeddings = np.ones(embeddings.shape, int)
        case "labels":
            identities = identities[:-1]
        case "view":
            views[0] = "back"
        case "one person":
            identities[:] = "p"
        case "one view":
            views[:] = "dorsal"
    return embeddings, identities, views


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan", r"must be finite\. Received: NaN or infinity in 1 of \d+ rows \(rows 3\)"),
        ("unnormalised", r"must have unit norm\. Received: norms from 7 to 7.*--normalize"),
        ("flat", r"must have the shape \(photos, dimensions\)\. Received: shape \(\d+,\)"),
        ("empty", "at least one row"),
        ("integers", "must be floating-point numbers. Received: dtype int64"),
        ("labels", r"`identities` must have one entry per embedding, \d+\. Received: \d+ entries\..*another data set"),
        ("view", "must be one of: dorsal, palmar. Received: 'back'"),
        ("one person", "at least two people with both dorsal and palmar photos. Received: 1 such, of 1 person"),
        ("one view", "at least two people with both dorsal and palmar photos. Received: 0 such, of 9 people"),
    ],
)
def test_bad_input_is_named(what, message):
    with pytest.raises(EvaluationError, match=message):
        compute_retrieval(*bad(what))
    with pytest.raises(EvaluationError, match=message):
        compute_person_ranks(*bad(what))


def test_low_precision_embeddings_are_taken_as_they_are():
    part = draw_part(np.random.default_rng(1))
    half = compute_retrieval(part[0].astype(np.float16), *part[1:])
    assert half["person"]["dorsal_to_palmar"]["num_queries"] == 8
