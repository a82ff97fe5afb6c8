"""TensorFlow is started once, without its start-up lines."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from handnet.errors import DiskError
from handnet.library.start import start_tensorflow
from tests.cli.command_line import QUICK, CommandLine


def test_no_folder_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(
        DiskError, match=r"^Cannot write a temporary file: .*Set TMPDIR to a folder that can be written"
    ):
        start_tensorflow()


def test_a_backend_of_keras_that_is_not_installed_is_named(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    line = command.fail("train", f"--data={finished / 'hands'}", "--run=run", *QUICK, code=2)
    assert line == "handnet: KERAS_BACKEND names 'theano', which is not installed here. Unset it."


def test_scikit_learn_is_not_imported_at_the_start_and_can_be_afterwards() -> None:
    program = (
        "import sys; from handnet.library.start import start_tensorflow; start_tensorflow()\n"
        "assert 'keras' in sys.modules and 'sklearn' not in sys.modules\n"
        "from sklearn.manifold import TSNE"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
