"""What commands print: lines, warnings and progress."""

import pytest

from handnet.cli._console import echo, show_progress, warn


def test_lines_go_to_the_output_and_warnings_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    echo("figures")
    warn("beware")
    assert capsys.readouterr() == ("figures\n", "warning: beware\n")


def test_progress_is_shown_now_and_then_and_not_of_short_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("handnet.cli._console.time.monotonic", lambda: now)
    count = show_progress("embed photos")
    now = 100.5
    count(10, 40)
    assert capsys.readouterr().err == "", "half a second is short work"
    now = 104.0
    count(20, 40)
    assert capsys.readouterr().err == "", "no terminal: a line every ten seconds"
    now = 110.0
    count(30, 40)
    assert capsys.readouterr().err == "embed photos: 30/40, 2 a second, 5 s left\n"
    now = 111.0
    count(40, 40)
    assert capsys.readouterr().err == "embed photos: 40/40, 11 s in all\n"


def test_the_time_left_leaves_out_what_came_before_the_first_photo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("handnet.cli._console.time.monotonic", lambda: now)
    count = show_progress("decode photos")
    now = 62.0
    count(1, 186)
    assert capsys.readouterr().err == "decode photos: 1/186\n", "one photo says nothing about the others"
    now = 82.0
    count(9, 186)
    assert capsys.readouterr().err == "decode photos: 9/186, 2.5 s each, 7 minutes left\n"
