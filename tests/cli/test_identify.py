"""`handnet identify`, as far as no model is loaded; the rest: tests/gallery/test_commands.py."""

import csv
from types import SimpleNamespace
from typing import Any

import pytest

from handnet.cli._gallery import answers_to_csv, keep_for_next
from handnet.errors import RunError
from handnet.gallery.matching import Answer
from tests.cli.command_line import CommandLine


@pytest.mark.parametrize("rate", ["2", "0", "-1%", "100%", "often", "nan"])
@pytest.mark.parametrize("option", ["fpir", "prior"])
def test_a_rate_lies_between_0_and_1(option: str, rate: str, command: CommandLine) -> None:
    line = command.fail("identify", "people", "a.jpg", f"--{option}={rate}", code=2)
    assert f"expected a rate such as 1% or 0.01, between 0 and 1. Received: '{rate}'." in line


def test_one_kind_of_answer_and_a_gallery_that_is_there(command: CommandLine) -> None:
    assert "Give --json or --csv, not both." in command.fail("identify", "people", "a.jpg", "--json", "--csv", code=2)
    assert "people" in command.fail("identify", "people", "a.jpg")


def test_a_photo_without_an_answer_is_a_row_without_numbers() -> None:
    answer = Answer("a.jpg", "not a photo", "", "", "", (), None, 0.5, None, (), 0, 0)
    [row] = csv.DictReader(answers_to_csv([answer]).splitlines())
    assert {name: text for name, text in row.items() if text} == {"photo": "a.jpg", "problem": "not a photo"}


def test_the_next_answer_is_prepared_after_this_one_and_a_failure_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[list[str]] = []
    outcome: list[Any] = ["", "no C library", RunError("other vectors")]

    def keep(photos: list[str]) -> str:
        kept.append(photos)
        if isinstance(found := outcome[len(kept) - 1], RunError):
            raise found
        return str(found)

    opened: Any = SimpleNamespace(encoder=SimpleNamespace(keep_frozen=keep, lacks_frozen=lambda: True))
    for said in ("", "as long as this one: no C library", "as long as this one: other vectors"):
        keep_for_next(opened, ["a", "b", "c"])
        output = capsys.readouterr()
        assert output.out == "", "scripts read the answer there"
        assert "Ctrl-C" in output.err
        assert said in output.err
        assert ("warning" in output.err) == bool(said)
    assert kept == [["a", "b"]] * 3
    keep_for_next(opened, [])
    keep_for_next(SimpleNamespace(encoder=object()), ["a"])  # type: ignore[arg-type]
    whole: Any = SimpleNamespace(encoder=SimpleNamespace(keep_frozen=keep, lacks_frozen=lambda: False))
    keep_for_next(whole, ["a"])
    monkeypatch.setenv("HANDNET_QUICK", "0")
    keep_for_next(opened, ["a"])
    assert len(kept) == 3
    assert capsys.readouterr().err == ""
