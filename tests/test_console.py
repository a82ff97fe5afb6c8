"""Work that is given nothing to report to."""

import os

import pytest

from handnet.console import count_of, hide_progress, turn_stderr_aside


def test_progress_that_nobody_watches_is_counted_and_not_shown(capsys):
    count = hide_progress("compute features")
    count(1, 2)
    count(2, 2)
    assert capsys.readouterr() == ("", "")


def test_a_count_and_its_word() -> None:
    assert [count_of(n, "photo") for n in (0, 1, 1200)] == ["0 photos", "1 photo", "1,200 photos"]
    assert [count_of(n, "person", "people") for n in (1, 2)] == ["1 person", "2 people"]


@pytest.mark.parametrize(("error", "shown"), [(KeyboardInterrupt, ""), (ImportError, "start-up line")])
def test_what_was_turned_aside_is_shown_where_something_failed(
    error: type[BaseException], shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def start() -> None:
        with turn_stderr_aside():
            os.write(2, b"start-up line")
            raise error

    with pytest.raises(error):
        start()
    assert capfd.readouterr().err == shown
