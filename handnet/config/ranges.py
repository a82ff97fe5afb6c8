"""Whether a setting has a value that it may have."""

from handnet.errors import ConfigError, format_unknown, show_value


def check_choice(key: str, value: str, valid: tuple[str, ...]) -> None:
    """Raise ConfigError where a setting is none of the values that it may have."""
    if value not in valid:
        raise ConfigError(format_unknown(f"value of {key}:", value, valid))


def check_range(key: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError where a setting does not lie between two values, these included."""
    if not low <= value <= high:
        raise ConfigError(f"`{key}` must lie between {_show(low)} and {_show(high)}. Received: {show_value(value)}.")


def _show(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
