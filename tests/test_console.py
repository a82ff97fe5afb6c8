"""Work that is given nothing to report to."""

from handnet.console import hide_progress


def test_progress_that_nobody_watches_is_counted_and_not_shown(capsys):
    count = hide_progress("compute features")
    count(1, 2)
    count(2, 2)
    assert capsys.readouterr() == ("", "")
