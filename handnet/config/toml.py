"""Settings as text: TOML files and overrides to a `Config`, and back."""

import dataclasses
import json
import math
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from handnet.config.settings import Config
from handnet.errors import ConfigError, format_unknown, show_value

_BATCH = (
    "The size of a batch follows from sampler.people_per_batch and sampler.photos_per_view, or is sampler.pairs_per_batch; "
    "handnet train also has --batch."
)
# What a setting is, by its type.
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
# What other programs call a setting, and what it is here.
_ELSEWHERE = {"batch_size": _BATCH, "batch": _BATCH}


def read_config(path: Path) -> Config:
    """Read a complete configuration, as a run folder holds it.

    Raises:
        ConfigError: the file cannot be read, or a key or value is not valid.
    """
    return parse_config(read_tree(path))


def read_tree(
    path: Path | None, overrides: Iterable[str] = (), given: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Read a TOML file (or none), then put `given` and then `section.key=value` overrides over it; nothing is checked yet.

    Args:
        path: a TOML file, or None.
        overrides: such as "train.epochs=3" or "loss.options.margin=0.2"; the value is TOML, or else plain text.
        given: settings by section, as command-line options give them.

    Raises:
        ConfigError: the file or an override cannot be read.
    """
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            # Editors on Windows begin a file with a mark of its encoding.
            tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise ConfigError(
                f"There is no configuration file {str(path)!r}. Expected a TOML file, as in configs/."
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{str(path)!r} is not a readable TOML file: {_say_why_unreadable(error)}.") from None
    for section, values in (given or {}).items():
        there = tree.get(section, {})
        if not isinstance(there, Mapping):
            raise ConfigError(f"Expected a section for {section!r}. Received: {show_value(there)}.")
        tree[section] = {**there, **values}
    for override in overrides:
        _apply_override(tree, override)
    return tree


def _say_why_unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    if isinstance(error, RecursionError):
        return "its lists or sections are nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not text in UTF-8 (byte {error.start})"
    return str(error)


def parse_config(tree: Mapping[str, Any]) -> Config:
    """Build the configuration from nested mappings as TOML or JSON gives them.

    Raises:
        ConfigError: an unknown key (the nearest valid one is named) or a value of the wrong type or range.
    """
    config: Config = _parse_dataclass(Config, tree, "")
    return config


def check_section(name: str) -> None:
    """Raise ConfigError where there is no section of settings of this name."""
    sections = [field.name for field in dataclasses.fields(Config)]
    if name not in sections:
        raise ConfigError(format_unknown("config key", name, sections))


def config_to_tree(config: Config) -> dict[str, Any]:
    """Return the configuration as nested plain dicts, the inverse of `parse_config`."""
    tree: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return tree


def format_toml(config: Config) -> str:
    """Return the configuration as TOML text that `read_config` reads back to an equal object."""
    lines: list[str] = []
    for section, values in config_to_tree(config).items():
        lines += [*_format_table(section, values), ""]
    return "\n".join(lines)


def _format_table(name: str, values: Mapping[str, Any]) -> list[str]:
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    # JSON's strings, numbers, booleans and lists are TOML's too.
    lines = [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items() if key not in tables)]
    for key, table in tables.items():
        if table:
            lines += ["", *_format_table(f"{name}.{key}", table)]
    return lines


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"Expected an override of the form section.key=value. Received: {show_value(override)}.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()
    *sections, name = key.strip().split(".")
    node = tree
    for section in sections:
        child = node.setdefault(section, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{section!r} in {show_value(override)} is a value, not a section.")
        node = child
    node[name] = value


def _parse_dataclass(kind: type, tree: Mapping[str, Any], prefix: str) -> Any:
    if not isinstance(tree, Mapping):
        raise ConfigError(f"Expected a section for {prefix.rstrip('.')!r}. Received: {show_value(tree)}.")
    hints = typing.get_type_hints(kind)
    for key in tree:
        if key not in hints:
            if key in _ELSEWHERE:
                raise ConfigError(f"Unknown config key {prefix + key!r}. {_ELSEWHERE[key]}")
            raise ConfigError(format_unknown("config key", prefix + key, [prefix + name for name in hints]))
    return kind(**{key: _parse_value(hints[key], value, prefix + key) for key, value in tree.items()})


def _parse_value(hint: Any, value: Any, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _parse_dataclass(typing.cast(type, hint), value, key + ".")
    origin = typing.get_origin(hint)
    if origin is tuple:
        inner = typing.get_args(hint)[0]
        if isinstance(value, list | tuple):
            return tuple(_parse_value(inner, item, f"{key}[{i}]") for i, item in enumerate(value))
        raise ConfigError(f"`{key}` must be a list. Received: {show_value(value)}.")
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        inner = typing.get_args(hint)[1]
        if dataclasses.is_dataclass(inner) and isinstance(value, Mapping):
            return {
                name: _parse_dataclass(typing.cast(type, inner), item, f"{key}.{name}.") for name, item in value.items()
            }
        if isinstance(value, Mapping) and all(isinstance(item, str | int | float | bool) for item in value.values()):
            for name, item in value.items():
                _check_finite(item, f"{key}.{name}")
            return dict(value)
        raise ConfigError(f"`{key}` must be a section of plain values. Received: {show_value(value)}.")
    if isinstance(hint, types.UnionType):
        raise TypeError(f"unions are not supported in settings: {key}")
    _check_finite(value, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"`{key}` must be {_KINDS[hint]}. Received: {show_value(value)}.")
    return value


def _check_finite(value: Any, key: str) -> None:
    """Raise ConfigError for nan, inf and whole numbers beyond float64: nothing is told by them, and checks may let nan pass."""
    if not isinstance(value, int | float):
        return
    try:
        is_finite = math.isfinite(value)
    except OverflowError:
        is_finite = False
    if not is_finite:
        received = "a whole number beyond 1e308" if isinstance(value, int) else repr(value)
        raise ConfigError(f"`{key}` must be a finite number. Received: {received}.")
