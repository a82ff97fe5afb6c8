"""The page of all settings, made from the dataclasses of handnet.config: defaults and what each one means."""

import ast
import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from handnet.config.settings import Config, SourceConfig
from website.links import ROOT

_ABOUT = """# Settings

A setting is written in a TOML file (`configs/` has examples) or given as `--set section.key=value`. What you leave out
follows from `--arch` and `--loss`, otherwise from the defaults below. `config.toml` of a run lists all settings that
it was made with. A wrong name or value is an error that names the valid ones.
"""
_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def describe_settings() -> str:
    """Return the page, one section for each table of the TOML file.

    Raises:
        ValueError: a setting without an explanation in its class's docstring.
    """
    sections = typing.get_type_hints(Config)
    parts = [_ABOUT]
    for field in dataclasses.fields(Config):
        parts += _describe_section(field.name, sections[field.name])
        if field.name == "model":
            parts += _describe_section("model.sources.NAME", SourceConfig)
    return "\n\n".join(parts) + "\n"


def _describe_section(name: str, section: type) -> Iterator[str]:
    summary, meanings = read_attributes(section)
    yield f"## {name}"
    yield summary
    types_of = typing.get_type_hints(section)
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(section):
        if field.name not in meanings:
            raise ValueError(f"{section.__name__}.{field.name} is not explained in its class's docstring.")
        default = _format_default(field)
        rows.append(
            f"| `{field.name}`<br><small>{_format_type(types_of[field.name])}</small> | {default} | {meanings[field.name]} |"
        )
    yield "\n".join(rows)


def read_attributes(section: type) -> tuple[str, dict[str, str]]:
    """Return the text of a docstring in Markdown, and the explanation of each entry under "Attributes:"."""
    summary, _, listed = inspect.cleandoc(section.__doc__ or "").partition("\n\nAttributes:\n")
    meanings: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", textwrap.dedent(listed)):
        name, _, meaning = entry.partition(":")
        if meaning:
            meanings[name] = _to_cell(meaning)
    return summary, meanings


def list_names(table: str) -> list[str]:
    """Return the keys of a dict literal, read without running its module; none if it is put together from others.

    Args:
        table: module and name of the dict, e.g. "handnet.losses.LOSSES".
    """
    module, _, name = table.rpartition(".")
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for statement in ast.parse(source.read_text(encoding="utf-8")).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.Dict(keys=keys)) if found == name:
                names = [str(key.value) for key in keys if isinstance(key, ast.Constant)]
                return names if len(names) == len(keys) else []
    raise ValueError(f"There is no dict literal {name} in {source.relative_to(ROOT)}.")


def _name_entries(match: re.Match[str]) -> str:
    names = list_names(match[1])
    # Backbones are too many for a cell, and have a page of their own.
    return ", ".join(f"`{name}`" for name in names) if names else "one of the [backbones](../backbones.md)"


def _to_cell(text: str) -> str:
    """Return text for a cell of a table, with values in quotation marks and code as code."""
    text = re.sub(r"a name of `(handnet\.[\w.]+)`", _name_entries, text)
    text = re.sub(r" or of `(handnet\.[\w.]+)`", lambda match: ", " + _name_entries(match), text)
    text = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
    return text[:1].upper() + text[1:] if not text.startswith(("`", '"')) else text


def _format_default(field: "dataclasses.Field[Any]") -> str:
    value = field.default if field.default is not dataclasses.MISSING else None
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    return f"`{format_toml(value)}`"


def format_toml(value: Any) -> str:
    """Return a default as it is written in a TOML file."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return "[" + ", ".join(format_toml(one) for one in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{key} = {format_toml(one)}" for key, one in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _format_type(hint: Any) -> str:
    if hint in _TYPES:
        return _TYPES[hint]
    origin = typing.get_origin(hint)
    if origin is tuple:
        return f"list of {_TYPES[typing.get_args(hint)[0]]}s".replace("texts", "texts")
    if origin in (Mapping, dict) or isinstance(hint, types.GenericAlias):
        return "table"
    raise ValueError(f"There is no name for the type {hint}.")
