import tempfile

import pytest

from handnet.cli._tensorflow import start_tensorflow
from handnet.errors import DiskError


def test_no_folder_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(
        DiskError, match=r"^Cannot write a temporary file: .*Set TMPDIR to a folder that can be written"
    ):
        start_tensorflow()
