"""The classifier of a pair of feature vectors."""

import keras
import numpy as np
import pytest

from handnet.config.settings import PairsConfig
from handnet.errors import ConfigError
from handnet.networks.pair_classifier import EPSILON, PAIR_FORMS, build_pair_classifier

RNG = np.random.default_rng(0)


def test_chi_square_is_the_weighted_sum_of_its_terms() -> None:
    a, b = RNG.uniform(0, 1, (2, 5, 4)).astype(np.float32)
    terms = np.asarray(keras.ops.convert_to_numpy(PAIR_FORMS["chi-square"].join(a, b)))
    assert terms[:, :4] == pytest.approx((a - b) ** 2 / (a + b + EPSILON), abs=1e-6)
    assert (terms[:, 4:] == 0).all(), "nothing is negative"
    zeros = np.zeros((1, 4), np.float32)
    assert (np.asarray(PAIR_FORMS["chi-square"].join(zeros, zeros)) == 0).all()
    model = build_pair_classifier(4, PairsConfig(form="chi-square"))
    weights = {variable.path for variable in model.trainable_variables}
    assert not any("hidden" in path for path in weights)


def test_an_unknown_form_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Unknown value of pairs.form: 'l1-sigmod'. Did you mean 'l1-sigmoid'"):
        build_pair_classifier(4, PairsConfig(form="l1-sigmod"))
