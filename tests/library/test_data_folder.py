"""Where data come from, when no folder is named."""

from pathlib import Path

import pytest

from handnet.errors import DataError
from handnet.library.data_folder import find_data, read_data
from tests.tiny import write_tiny


def test_the_folder_is_the_named_one_else_that_of_the_environment(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"There is no data folder 'data/hands11k'.* --data synthetic"):
        find_data("")
    named, default = write_tiny(working_folder / "named", 2, 1), write_tiny(working_folder / "data/hands11k", 2, 1)
    assert find_data("") == default.relative_to(working_folder)
    monkeypatch.setenv("HANDNET_DATA", str(named))
    assert find_data("") == named
    assert find_data(str(default)) == default


def test_notes_go_where_they_are_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, lines = write_tiny(tmp_path / "data", 2, 1), list[str]()
    next((folder / "Hands").iterdir()).unlink()
    dataset = read_data("hands11k", str(folder), echo=lines.append)
    assert len(dataset.examples) == 3
    assert lines
    assert all(line.startswith("data: ") for line in lines)
    assert capsys.readouterr().out == ""
