"""`handnet identify`, as far as no model is loaded; the rest: tests/gallery/test_commands.py."""

import csv

import pytest

from handnet.cli._gallery import answers_to_csv
from handnet.gallery.matching import Answer
from tests.cli.command_line import CommandLine


@pytest.mark.parametrize("rate", ["2", "0", "-1%", "100%", "often"])
def test_a_rate_lies_between_0_and_1(rate: str, command: CommandLine) -> None:
    line = command.fail("identify", "people", "a.jpg", f"--fpir={rate}", code=2)
    assert f"expected a rate such as 1% or 0.01, between 0 and 1. Received: '{rate}'." in line


def test_one_kind_of_answer_and_a_gallery_that_is_there(command: CommandLine) -> None:
    assert "Give --json or --csv, not both." in command.fail("identify", "people", "a.jpg", "--json", "--csv", code=2)
    assert "people" in command.fail("identify", "people", "a.jpg")


def test_a_photo_without_an_answer_is_a_row_without_numbers() -> None:
    answer = Answer("a.jpg", "not a photo", "", "", "", (), None, 0.5, None, (), 0, 0)
    [row] = csv.DictReader(answers_to_csv([answer]).splitlines())
    assert {name: text for name, text in row.items() if text} == {"photo": "a.jpg", "problem": "not a photo"}
