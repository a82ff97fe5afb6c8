"""A service of synthetic hands, and clients of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="FastAPI is not installed: pip install 'handnet[serve]'")

from fastapi.testclient import TestClient

from handnet.serving.api.app import build_app
from handnet.serving.api.service import Service
from tests.serving.api.hands import make_service


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return make_service(tmp_path)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(build_app(service)) as opened:
        yield opened
