"""Checks of the options of a loss, each with one line that says what was expected."""

import difflib
import inspect
import math
from collections.abc import Mapping, Sequence

from handnet.errors import ConfigError, format_unknown


def check_number(name: str, value: object, above: float = -math.inf, at_most: float = math.inf) -> float:
    """Return the option as a float.

    Args:
        name: name of the option, for the message.
        value: what was given; an int will do, a bool or text will not.
        above: the value must be greater than this.
        at_most: the value must not be greater than this.

    Raises:
        ConfigError: it is no finite number in that range.
    """
    wanted = "a positive number" if above == 0 and at_most == math.inf else f"a number in ({above:g}, {at_most:g}]"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"`{name}` must be {wanted}. Received: {name}={value!r}.")
    if not above < value <= at_most:
        raise ConfigError(f"`{name}` must be {wanted}. Received: {name}={value!r}.")
    return float(value)


def check_count(name: str, value: object, least: int) -> int:
    """Return the option as an int.

    Args:
        name: name of the option, for the message.
        value: what was given; neither a bool nor a float will do.
        least: the least value.

    Raises:
        ConfigError: it is no int, or less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"`{name}` must be a whole number of at least {least}. Received: {name}={value!r}.")
    return value


def check_flag(name: str, value: object) -> bool:
    """Return the option as a bool.

    Args:
        name: name of the option, for the message.
        value: what was given.

    Raises:
        ConfigError: it is neither true nor false.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"`{name}` must be true or false. Received: {name}={value!r}.")
    return value


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return the option where it is one of the choices.

    Args:
        name: name of the option, for the message.
        value: what was given.
        choices: the valid values.

    Raises:
        ConfigError: it is none of them; the nearest one is named.
    """
    if isinstance(value, str) and value in choices:
        return value
    near = difflib.get_close_matches(str(value), list(choices), n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"`{name}` must be one of {', '.join(choices)}. Received: {name}={value!r}.{hint}")


def require_options(loss_name: str, loss_class: type, options: Mapping[str, object], further: Sequence[str]) -> None:
    """Raise where the options are not those that the constructor of the loss class takes.

    Args:
        loss_name: the loss, for the message.
        loss_class: its class.
        options: what was given.
        further: names that are also valid.

    Raises:
        ConfigError: an unknown option (the nearest valid one is named), or one without a default that is missing.
    """
    parameters = inspect.signature(loss_class).parameters
    valid = [parameter for parameter in parameters if parameter != "name"]
    for option in options:
        if option not in [*valid, *further]:
            raise ConfigError(format_unknown(f"option of the loss {loss_name!r}", option, [*valid, *further]))
    for option in valid:
        if parameters[option].default is inspect.Parameter.empty and option not in options:
            given = ", ".join(options) or "no options"
            raise ConfigError(f"The loss {loss_name!r} needs the option `{option}`. Received: {given}.")
