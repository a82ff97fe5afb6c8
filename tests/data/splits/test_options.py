"""Options of the rules that make a split."""

import re

import pytest

from handnet.data.splits.options import check_integer, check_number, check_options
from handnet.errors import ConfigError


def test_defaults_are_overridden_and_unknown_names_refused() -> None:
    assert check_options("fractions", {"seed": 3}, {"seed": 42, "train": 0.7}) == {"seed": 3, "train": 0.7}
    with pytest.raises(ConfigError, match=r"Unknown option of split \"fractions\" 'sed'. Did you mean 'seed'\?"):
        check_options("fractions", {"sed": 3}, {"seed": 42})
    with pytest.raises(ConfigError, match=re.escape('Split "pairs" has no options. Received: seed.')):
        check_options("pairs", {"seed": 3}, {})


@pytest.mark.parametrize("value", [True, "0.5", None, -0.1, 1.1, float("nan")])
def test_a_number_is_a_number_within_its_range(value: object) -> None:
    assert check_number("fractions", "train", 1, 0, 1) == 1.0
    with pytest.raises(ConfigError, match='Split "fractions": train must be a number from 0 to 1. Received: '):
        check_number("fractions", "train", value, 0, 1)


@pytest.mark.parametrize("value", [True, 2.0, "2", 1, 6])
def test_a_whole_number_is_one_within_its_range(value: object) -> None:
    assert check_integer("k-fold", "folds", 5, 2, 5) == 5
    with pytest.raises(ConfigError, match="a whole number from 2 to 5. Received: "):
        check_integer("k-fold", "folds", value, 2, 5)
    with pytest.raises(ConfigError, match="a whole number, at least 0. Received: -1"):
        check_integer("k-fold", "seed", -1, 0)
