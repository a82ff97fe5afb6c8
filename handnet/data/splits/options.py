"""Checks of the options of the rules that make a split."""

from collections.abc import Mapping

from handnet.errors import ConfigError, format_unknown


def check_options(split: str, options: Mapping[str, object], defaults: dict[str, object]) -> dict[str, object]:
    """Return a rule's options over its defaults; ConfigError for an unknown one."""
    for name in options:
        if not defaults:
            raise ConfigError(f'Split "{split}" has no options. Received: {name}.')
        if name not in defaults:
            raise ConfigError(format_unknown(f'option of split "{split}"', name, list(defaults)))
    return {**defaults, **options}


def check_number(split: str, name: str, value: object, low: float, high: float) -> float:
    """Return an option that is a number; ConfigError where it is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f'Split "{split}": {name} must be a number from {low:g} to {high:g}. Received: {value!r}.')
    return float(value)


def check_integer(split: str, name: str, value: object, low: int, high: int | None = None) -> int:
    """Return an option that is a whole number; ConfigError where it is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        expected = f"a whole number from {low} to {high}" if high is not None else f"a whole number, at least {low}"
        raise ConfigError(f'Split "{split}": {name} must be {expected}. Received: {value!r}.')
    return value
