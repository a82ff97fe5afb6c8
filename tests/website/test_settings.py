"""The page of the settings holds each key with its default and its explanation."""

from dataclasses import dataclass, fields
from typing import get_type_hints

import pytest

from handnet.config.settings import Config, TrainConfig
from handnet.data.readers import READERS
from website.settings import _describe_section, describe_settings, format_toml, list_names, read_attributes


@dataclass(frozen=True)
class Unexplained:
    """A section.

    Attributes:
        first: explained.
    """

    first: int = 1
    second: float = 0.5


def test_every_key_has_its_row() -> None:
    page = describe_settings()
    for name, section in get_type_hints(Config).items():
        table = page.split(f"## {name}\n")[1].split("\n## ")[0]
        assert [field.name for field in fields(section)] == [
            row.split("`")[1] for row in table.splitlines() if row.startswith("| `")
        ]
    assert "| `seed`<br><small>whole number</small> | `0` | Seed of every random choice of the run. |" in page


def test_a_key_without_an_explanation_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Unexplained\.second"):
        list(_describe_section("section", Unexplained))


def test_explanations_are_those_of_the_docstring() -> None:
    summary, meanings = read_attributes(TrainConfig)
    assert summary == "How long and how exactly."
    assert meanings["jit"] == "Compile the training step with XLA."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        (True, "true"),
        (3, "3"),
        (3e-4, "0.0003"),
        ((128, 32), "[128, 32]"),
        ({}, "{}"),
        ({"block4": 7}, "{block4 = 7}"),
    ],
)
def test_defaults_are_written_as_in_toml(value: object, text: str) -> None:
    assert format_toml(value) == text


def test_names_of_entries_are_read_from_their_dict() -> None:
    assert list_names("handnet.data.readers.READERS") == list(READERS)
    # A dict that is put together from others has no keys of its own.
    assert list_names("handnet.networks.backbones.BACKBONES") == []
    with pytest.raises(ValueError, match="no dict literal GONE"):
        list_names("handnet.losses.GONE")
    assert "`hands11k`, `folder`" in describe_settings()
    assert "a name of `handnet" not in describe_settings().lower()
