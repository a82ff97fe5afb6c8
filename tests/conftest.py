"""Settings for all tests: the photo cache lies in a temporary folder, and no data set is taken from the environment."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("HANDNET_DATA", raising=False)


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
