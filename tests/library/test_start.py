"""TensorFlow is started once, without its start-up lines."""

import subprocess
import sys
import tempfile

import pytest

from handnet.errors import DiskError
from handnet.library.start import list_unused, start_tensorflow


def test_no_folder_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(
        DiskError, match=r"^Cannot write a temporary file: .*Set TMPDIR to a folder that can be written"
    ):
        start_tensorflow()


def test_a_program_of_the_users_own_imports_all_that_keras_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "handnet.cli.main", raising=False)
    assert list_unused("tensorflow") == ()
    monkeypatch.setitem(sys.modules, "handnet.cli.main", sys)
    assert list_unused("tensorflow") == ("sklearn", "pandas", "matplotlib", "scipy", "IPython", "jax")
    assert "jax" not in list_unused("jax")


@pytest.mark.slow
def test_what_is_not_used_is_not_imported_at_the_start_and_can_be_afterwards() -> None:
    program = (
        "import sys, handnet.cli.main; from handnet.library.start import start_tensorflow; start_tensorflow()\n"
        "unused = {'sklearn', 'pandas', 'matplotlib', 'scipy', 'IPython', 'jax'}\n"
        "assert 'keras' in sys.modules and not unused & sys.modules.keys()\n"
        "import gc; assert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
        "from sklearn.manifold import TSNE; import matplotlib.pyplot"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
