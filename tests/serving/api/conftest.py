"""A service of synthetic hands, and clients of it. Nothing here is collected where FastAPI is not installed."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gallery.conftest import calibration_packed_once

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from handnet.serving.api.service import Service

__all__ = ["calibration_packed_once"]

if importlib.util.find_spec("fastapi") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def service(tmp_path: Path) -> "Service":
    from tests.serving.api.hands import make_service

    return make_service(tmp_path)


@pytest.fixture
def client(service: "Service") -> "Iterator[TestClient]":
    from fastapi.testclient import TestClient

    from handnet.serving.api.app import build_app

    with TestClient(build_app(service)) as opened:
        yield opened
