"""Settings for all tests: the photo cache lies in a temporary folder, and no data set is taken from the environment."""

import os
from pathlib import Path

import pytest

# As the command line does: read by TensorFlow's C++ parts when they are loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("HANDNET_DATA", raising=False)


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
