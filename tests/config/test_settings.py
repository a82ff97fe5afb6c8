"""Settings that exclude each other."""

import pytest

from handnet.config.toml import parse_config
from handnet.errors import ConfigError


def test_mirrored_hands_cannot_be_told_left_from_right() -> None:
    with pytest.raises(ConfigError, match="hand-upright"):
        parse_config({"data": {"identity": "hand"}, "image": {"crop": "hand-canonical"}})


def test_the_sampler_may_be_named_or_left_out() -> None:
    named, without = parse_config({"sampler": {"name": "people"}}), parse_config({})
    assert named == without, "runs of before name it"
    with pytest.raises(ConfigError, match=r"Unknown value of sampler\.name: 'persons'"):
        parse_config({"sampler": {"name": "persons"}})


def test_keeping_the_last_weights_and_stopping_before_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"train\.patience=3"):
        parse_config({"train": {"keep": "last", "patience": 3}})
