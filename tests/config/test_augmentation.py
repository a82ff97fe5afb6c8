"""The settings of the augmentation."""

import pytest

from handnet.config.augmentation import AugmentConfig
from handnet.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value", "high"),
    [
        ("rotation_probability", 1.1, "1"),
        ("flip_probability", -0.1, "1"),
        ("rotation_degrees", 181.0, "180"),
        ("blur_sigma_fraction", 0.06, "0.05"),
        ("zoom_fraction", float("nan"), "9"),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float, high: str) -> None:
    with pytest.raises(ConfigError, match=f"`augment.{name}` must lie between 0 and {high}. Received: {value}"):
        AugmentConfig(**{name: value})
