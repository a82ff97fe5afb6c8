"""Vectors as sums over features."""

import keras
import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.evaluation.linear_account import COMMON, account_for, account_linear, split_vectors
from handnet.metrics.joined_lda import fit_joined_discriminant
from handnet.networks.encoder import UnitNormalization
from handnet.networks.feature_places import FeatureGroup
from tests.metrics.test_joined_lda import SOURCES, draw
from tests.networks.test_joined_discriminant import build, fill


def name_group(name: str, width: int) -> FeatureGroup:
    return FeatureGroup(name, width, np.zeros(width, np.int64), np.ones((1, 64)) / 64)


def test_the_parts_of_a_joined_head_add_up_to_what_it_gives() -> None:
    features, people, views = draw()
    joined = build(20)
    fill(joined, fit_joined_discriminant(features, SOURCES, people.tolist(), views.tolist(), 7, 0.3))
    head = keras.Model(joined.input, UnitNormalization()(joined.output))
    account = account_for(head, features)
    assert account is not None
    assert account.widths == (15, 12)
    groups = [name_group("a", 10), name_group("b", 5), name_group("a", 12)]
    names, parts = split_vectors(account, features, groups, features.mean(axis=0))
    assert names == ["a", "b", COMMON]
    given = keras.ops.convert_to_numpy(head(features.astype(np.float32)))
    np.testing.assert_allclose(parts.sum(axis=1), given, atol=1e-5)
    # Features at their mean add nothing.
    mean = features.mean(axis=0)
    features[0, 10:15] = mean[10:15]
    _, at_mean = split_vectors(account, features, groups, mean)
    np.testing.assert_allclose(at_mean[0, 1], 0.0, atol=1e-12)
    assert np.abs(parts[0, 1]).max() > 1e-3


def test_groups_that_do_not_make_up_the_features_are_refused() -> None:
    account = account_linear(np.ones((4, 2)), np.zeros(2), np.ones((1, 4)))
    with pytest.raises(ConfigError, match="Expected 3 features"):
        split_vectors(account, np.ones((1, 4)), [name_group("a", 3)], np.zeros(4))


def test_a_head_without_a_bias_is_not_accounted_for() -> None:
    features = keras.Input((3,))
    head = keras.Model(features, keras.layers.Dense(2, use_bias=False)(features))
    assert account_for(head, np.ones((1, 3))) is None
